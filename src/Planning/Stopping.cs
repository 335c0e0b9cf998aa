using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>The end of the ladder: release the pods and say why, in the same write.</summary>
internal static class Stopping
{
    public static Move Fail(Situation s, string reason, string diagnosis) => End(s, new()
    {
        Succeeded = false, Reason = reason, Message = diagnosis, At = s.Now, Generation = s.Job.Metadata.Generation, Step = s.Seen.Steps.Newest?.Step ?? s.Job.Status?.Step ?? 0,
    });

    public static Move End(Situation s, JobOutcome outcome) => Ended(s, outcome).Then(new ScaleStatefulSet(s.Seen.StatefulSet!.Uid, 0, outcome, CountersSince: s.Seen.StatefulSet.CountersSince));

    /// <summary>How an ended job looks.</summary>
    public static Move Ended(Situation s, JobOutcome outcome) => new Move
    {
        Phase = outcome.Succeeded ? JobPhase.Succeeded : JobPhase.Failed,
        Account = Accounts.Pause,
        Memory = new(),
    }.With(
        new Fact(ConditionTypes.Succeeded, outcome.Succeeded ? "True" : "False", outcome.Reason, outcome.Succeeded ? outcome.Message : ""),
        new Fact(ConditionTypes.Failed, outcome.Succeeded ? "False" : "True", outcome.Reason, outcome.Succeeded ? "" : outcome.Message),
        Fact.False(ConditionTypes.Running, outcome.Succeeded ? "Succeeded" : "Failed"),
        Fact.False(ConditionTypes.Suspended, "Ended"));
}
