using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Planning;

/// <summary>
/// Holds a job to the data it began with. Digests come from the agents once an epoch has stepped on them, and stay in every plan after it: a replaced
/// node with a stale copy, or a corpus that was written anew under its old name, cannot quietly change what is trained.
/// </summary>
internal static class CorpusPins
{
    /// <returns>Null while nothing is known.</returns>
    public static EquatableList<CorpusDigest>? Of(Situation s, TrainingConfig training)
    {
        var pinned = s.Plan?.Corpora ?? [];
        var paths = training.Data.Train.Concat(training.Data.Validation).Select(c => c.Path).ToHashSet(StringComparer.Ordinal);
        EquatableList<CorpusDigest> all = [.. pinned.Concat(Seen(s)).Where(c => paths.Contains(c.Path)).DistinctBy(c => c.Path)];
        return all.Count == 0 ? null : all;
    }

    /// <summary>What the last epoch trained on: all its ranks had compared theirs before the first step.</summary>
    private static EquatableList<CorpusDigest> Seen(Situation s) =>
        s.Members.Select(m => m.Status).FirstOrDefault(status => status is { LastAttempt: > 0, Corpora: not null } && status.PlanEpoch == s.Plan!.Epoch)?.Corpora ?? [];
}
