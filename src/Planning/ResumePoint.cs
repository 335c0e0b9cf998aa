using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Divergence;

namespace Opt.Planning;

/// <summary>
/// The checkpoint an epoch starts from: the one a rollback asks for, else the commit furthest on before its fence that is neither condemned, nor
/// known to be unreadable, nor given up by an earlier rollback. One that lies in memory alone may turn out to be lost when it is read: then all ranks fall
/// back to the next before it, so it is the most that is promised. A rollback, which people and policies rely on, goes to the store only.
/// </summary>
internal static class ResumePoint
{
    public static CheckpointSummary? Choose(Catalogue catalogue, EquatableList<string> distrusted, RunPlan? plan)
    {
        var usable = catalogue.Checkpoints.Where(c => c.Verdict is not HealthVerdict.Condemned && !distrusted.Contains(c.ManifestDigest) && !IsGivenUp(c, plan));
        return plan?.Rollback is { To: { } to } order ? RollbackTargets.Find(to, usable.Where(c => c.IsDurable), order.OnsetStep) : usable.MaxBy(Order);
    }

    /// <summary>Written before the current epoch, yet further on than the checkpoint it went back to.</summary>
    private static bool IsGivenUp(CheckpointSummary checkpoint, RunPlan? plan) =>
        plan is not null && checkpoint.Epoch < plan.Epoch && (plan.Resume is not { } resume || Order(checkpoint).CompareTo(Order(resume)) > 0);

    /// <summary>How far on: by step within an epoch, since a save to the store may be committed after one in memory that was begun later.</summary>
    private static (long Epoch, long Step, long Entry) Order(CheckpointSummary checkpoint) => (checkpoint.Epoch, checkpoint.Step, checkpoint.Entry);
}
