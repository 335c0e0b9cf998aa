using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>Finds the checkpoint to go back to.</summary>
public static class RollbackTargets
{
    /// <summary>
    /// Newest first, never a condemned one, and for lastHealthy only a healthy one from before the onset. Null when there is none.
    /// </summary>
    public static CheckpointSummary? Find(RollbackSpec rollback, IEnumerable<CheckpointSummary> checkpoints, long onsetStep)
    {
        var candidates = checkpoints.Where(c => c.Verdict is not HealthVerdict.Condemned).OrderByDescending(c => c.Step).ThenByDescending(c => c.Entry);
        if (rollback.Step is { } step) return candidates.FirstOrDefault(c => c.Step <= step);
        if (rollback.Checkpoints is { } back) return candidates.Where(c => c.Step <= onsetStep).Skip(back - 1).FirstOrDefault();
        return candidates.FirstOrDefault(c => c.Verdict is HealthVerdict.Healthy && c.Step <= onsetStep);
    }
}
