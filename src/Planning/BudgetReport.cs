using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>What is left of a job's budgets, for those who watch.</summary>
public static class BudgetReport
{
    /// <summary>Every budget there is.</summary>
    public static IReadOnlyList<string> All { get; } = [Budgets.RelaunchInPlace, Budgets.ReplaceNode, Budgets.LeaveNode, Budgets.Straggler, Budgets.Slowdown];

    /// <summary>Uses left within the budget's window, by the newest plan.</summary>
    public static IEnumerable<(string Budget, int Left)> Left(OptTrainingJob job, Observation seen, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(job);
        ArgumentNullException.ThrowIfNull(seen);
        var since = seen.StatefulSet?.CountersSince ?? DateTimeOffset.MinValue;
        var uses = seen.Plans.Select(p => p.Plan).MaxBy(p => (p.Epoch, p.Revision))?.Budgets ?? [];
        foreach (var budget in All)
        {
            var spec = Budgets.Spec(job.Spec.FailurePolicy, budget);
            yield return (budget, Math.Max(0, spec.Limit - uses.Count(u => u.Budget == budget && u.At >= since && now - u.At < spec.Window)));
        }
    }
}
