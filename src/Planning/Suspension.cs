using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>spec.suspend: save, release all pods, wait.</summary>
internal static class Suspension
{
    public static Move? Decide(Situation s)
    {
        if (!s.Job.Spec.Suspend) return null;
        if (s.Seen.StatefulSet is not { Replicas: > 0 } set) return Suspended(s);
        const string why = "spec.suspend is true";
        if (Draining.Decide(s, why) is { } drain) return drain;
        return Suspended(s).Then(new ScaleStatefulSet(set.Uid, 0, CountersSince: set.CountersSince)) with { Notes = [new("released all pods", why)] };
    }

    private static Move Suspended(Situation s) => new Move { Phase = JobPhase.Suspended, Account = Accounts.Pause, Memory = new() }
        .With(Fact.True(ConditionTypes.Suspended, "SpecSuspend", "spec.suspend is true"), Fact.False(ConditionTypes.Running, "Suspended"));
}
