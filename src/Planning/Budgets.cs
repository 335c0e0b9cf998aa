using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>Sliding budgets. The uses live in the plans, so that a decision and the memory of it are one write.</summary>
internal static class Budgets
{
    public const string RelaunchInPlace = "relaunchInPlace";
    public const string ReplaceNode = "replaceNode";
    public const string LeaveNode = "leaveNode";
    public const string Straggler = "straggler";
    public const string Slowdown = "slowdown";

    /// <summary>Uses that still count, those of quarantines no plan has recorded yet included.</summary>
    public static EquatableList<BudgetUse> Current(Situation s)
    {
        var since = s.Seen.StatefulSet?.CountersSince ?? DateTimeOffset.MinValue;
        var recorded = (s.Plan?.Budgets ?? []).Where(u => u.At >= since && s.Now - u.At < Spec(s.Policy, u.Budget).Window).ToArray();
        var pending = s.Seen.Nodes.Where(n => n.Quarantine?.JobUid == s.Uid && n.Quarantine.CauseId is not null)
            .Select(n => new BudgetUse { Budget = OfReplacement(n.Quarantine!.CauseId!), At = n.Quarantine.Since, CauseId = n.Quarantine.CauseId! })
            .Where(u => u.At >= since && s.Now - u.At < Spec(s.Policy, u.Budget).Window && (s.Plan?.Budgets ?? []).All(r => r.CauseId != u.CauseId || r.Budget != u.Budget));
        return [.. recorded, .. pending];
    }

    public static bool Allows(Situation s, EquatableList<BudgetUse> uses, string budget) => uses.Count(u => u.Budget == budget) < Spec(s.Policy, budget).Limit;

    /// <summary>Adds a use, once for each cause.</summary>
    public static EquatableList<BudgetUse> Add(EquatableList<BudgetUse> uses, string budget, string causeId, DateTimeOffset now) =>
        uses.Any(u => u.Budget == budget && u.CauseId == causeId) ? uses : [.. uses, new() { Budget = budget, At = now, CauseId = causeId }];

    /// <summary>The budget that replacing a node is charged to.</summary>
    public static string OfReplacement(string causeId) => causeId.StartsWith(Straggling.CausePrefix, StringComparison.Ordinal) ? Straggler : ReplaceNode;

    public static BudgetSpec Spec(FailurePolicySpec policy, string budget) => budget switch
    {
        ReplaceNode => policy.ReplaceNode,
        LeaveNode => new() { Limit = policy.LeaveNode.Limit, Window = policy.LeaveNode.Window, Mode = policy.LeaveNode.Mode },
        Straggler => new() { Limit = policy.Straggler.Limit, Window = policy.Straggler.Window, Mode = policy.Straggler.Mode },
        Slowdown => new() { Limit = policy.Slowdown.Limit, Window = policy.Slowdown.Window, Mode = policy.Slowdown.Mode },
        _ => policy.RelaunchInPlace,
    };
}
