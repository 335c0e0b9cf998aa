using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Planning.Divergence;

/// <summary>
/// Numbers or hardware: a divergence reaches all ranks within a step, since gradients are summed; a machine that computes wrongly stands
/// alone. When only the ranks of one member stood out from the onset to the firing, that machine is to blame.
/// </summary>
public static class Suspects
{
    /// <summary>The only member whose ranks stood out; null when none did, several did, or there is only one.</summary>
    public static PlanMember? Find(RunPlan plan, IReadOnlyList<StepRecord> history, int onset, int last)
    {
        if (plan.Members.Count < 2) return null;
        // Outliers are reported by the attempt they happened in; the records around the onset may be its first signs.
        var ranks = Enumerable.Range(Math.Max(0, onset - 2), last + 1 - Math.Max(0, onset - 2)).Where(i => history[i].Epoch == plan.Epoch).SelectMany(i => history[i].Outliers).Select(o => o.Rank);
        EquatableList<int> members = [.. ranks.Select(r => r / plan.WorkersPerMember).Distinct()];
        return members.Count == 1 && members[0] < plan.Members.Count ? plan.Members[members[0]] : null;
    }
}
