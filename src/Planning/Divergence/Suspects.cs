using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>
/// Numbers or hardware: a divergence reaches all ranks within a step, since gradients are summed; a machine that computes wrongly stands
/// alone. When only the ranks of one member stood out from the onset to the firing, that machine is to blame.
/// </summary>
public static class Suspects
{
    /// <summary>Place in the plan of the only member whose ranks stood out; null when none did, several did, or there is only one.</summary>
    public static int? Find(RunPlan plan, DivergencePolicySpec policy, IReadOnlyList<StepRecord> history, int onset, int last)
    {
        if (plan.Members.Count < 2) return null;
        // Outliers are reported by the attempt they happened in; the records around the onset may be its first signs.
        var from = Math.Max(0, onset - 2);
        var ranks = Enumerable.Range(from, last + 1 - from).Where(i => history[i].Epoch == plan.Epoch).SelectMany(i => history[i].Outliers.Where(o => !IsOverflow(history[i], o))).Select(o => o.Rank);
        EquatableList<int> members = [.. ranks.Select(r => r / plan.WorkersPerMember).Distinct()];
        return members.Count == 1 && members[0] < plan.Members.Count && !WasReplaced(plan, policy, members[0], history[last].Step) ? members[0] : null;
    }

    /// <summary>A gradient that the loss scale made too large shows where the largest ones are, which is one rank's shard: it says nothing of its machine.</summary>
    private static bool IsOverflow(StepRecord record, RankOutlier outlier) => record.Skipped && record.LossScale > 1 && outlier is { Signal: "gradient", Value: null };

    /// <summary>Another machine has those ranks by now, and here it is again: it was not the machine.</summary>
    private static bool WasReplaced(RunPlan plan, DivergencePolicySpec policy, int member, long step) =>
        plan.Firings.Any(f => f.Hardware && f.Member == member && f.Policy == policy.Name && step - f.Step <= policy.WindowSteps);
}
