using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Planning.Divergence;

/// <summary>Carrying out a rollback that a revision ordered.</summary>
internal static class Rollbacks
{
    /// <summary>The incident that ends the epoch for it.</summary>
    public static Incident Incident(Situation s, RollbackOrder order)
    {
        var suspect = order.Node is null ? null : s.Members.FirstOrDefault(m => m.Planned.Node == order.Node);
        return new()
        {
            Epoch = s.Plan!.Epoch, CauseId = order.CauseId, Reason = order.Reason, Message = order.Message, DetectedAt = s.Now,
            Severity = suspect is null ? Severity.Planned : Severity.Node, Pod = suspect?.Planned.Pod, PodUid = suspect?.Planned.PodUid, Node = suspect?.Planned.Node,
        };
    }

    /// <summary>Whether the checkpoints after the onset are condemned already, as of this fence.</summary>
    public static bool IsCondemned(RollbackOrder? order, FenceAnswer? fence) => order?.To is null || fence?.CondemnedFor == order.CauseId;

    /// <summary>Sample ranges of the next plan.</summary>
    public static SampleRange? Skipped(RollbackOrder order, CheckpointSummary? resume)
    {
        if (order.SkipFrom is not { } from) return null;
        var start = from is Opt.Api.V1Alpha1.SkipFrom.Onset ? order.OnsetSamples : resume?.Samples ?? 0;
        return start < order.SkipTo ? new SampleRange(start, order.SkipTo) : null;
    }

    /// <summary>The new order of the next plan. It begins after what is skipped for good, which lies at its place in the old order.</summary>
    public static SampleShuffle? Shuffled(RollbackOrder order, CheckpointSummary? resume, EquatableList<SampleRange> skipped)
    {
        var start = skipped.Select(r => r.To).Append(resume?.Samples ?? 0).Max();
        return order.Reshuffle == 0 ? null : new SampleShuffle(start, start + order.Reshuffle, Fnv.Hash(order.CauseId));
    }

    /// <summary>The number of the next run: 12.43 -> 12.44 for one that goes back, 13.0 for one that starts again from nothing.</summary>
    public static string NextRun(string run, RollbackOrder? order, CheckpointSummary? resume)
    {
        if (order?.To is null) return run;
        var parts = run.Split('.');
        var (major, minor) = (int.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture), int.Parse(parts[^1], System.Globalization.CultureInfo.InvariantCulture));
        return resume is null ? $"{major + 1}.0" : $"{major}.{minor + 1}";
    }
}
