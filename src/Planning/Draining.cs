using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Divergence;

namespace Opt.Planning;

/// <summary>Ends the workers gently before something wanted: a checkpoint is saved at the next step boundary, then all ranks leave together.</summary>
internal static class Draining
{
    /// <summary>A drain that takes longer is given up; the last committed checkpoint must do.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromMinutes(10);

    /// <summary>Moves towards drained workers; null once nothing runs that could be saved.</summary>
    public static Move? Decide(Situation s, string why)
    {
        if (s.Plan is null || s.Members.Count == 0 || !IsRunning(s)) return null;
        var drain = s.Seen.Memory.Drain is { } asked && asked.Epoch == s.Plan.Epoch ? asked : new(s.Plan.Epoch, s.Now, why);
        if (s.Now - drain.Since > Deadline) return null;
        var first = s.Members[0];
        return new Move { Phase = JobPhase.Running, Account = Accounts.Productive, Memory = s.Seen.Memory with { Drain = drain } }
            .Then(new SendControl(first.Planned.Pod, first.Planned.PodUid, s.Plan.Request(ControlCommand.Drain)))
            .With(Fact.False(ConditionTypes.Running, "Draining", why))
            .WakeIn(TimeSpan.FromSeconds(2));
    }

    /// <summary>No step follows, by our order or because all are done: the workers wait for their uploads, of which each may take minutes.</summary>
    public static bool IsLastSave(Situation s) => s.Plan is { } plan && (s.Seen.Memory.Drain?.Epoch == plan.Epoch || s.Seen.Steps.Newest?.Step >= plan.Training.HyperParameters.TotalSteps);

    /// <summary>Only a run that has stepped has something to save, and only rank 0's agent can pass the order on.</summary>
    private static bool IsRunning(Situation s) =>
        s.HasStepped && s.Members[0] is { Agent.Answers: true, Pod: { Terminating: false }, Status.State: AgentState.Running } && s.Members.All(m => m.Status?.State is not AgentState.Failed);
}
