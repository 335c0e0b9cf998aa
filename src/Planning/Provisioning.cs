using Opt.Api;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>The job's own objects: made when absent, scaled where that moves no member, and replaced whole when the pods' description changed.</summary>
internal static class Provisioning
{
    /// <summary>Service, Secret, disruption budget and StatefulSet; null when they are there.</summary>
    public static Move? Create(Situation s)
    {
        if (s.Seen.StatefulSet is null && s.Seen.TemplateFaults.Count > 0) return Refused(s, new Move { Phase = JobPhase.Pending, Account = Accounts.Provision, Memory = s.Seen.Memory });
        var actions = new List<PlannedAction>();
        if (!s.Seen.Owned.Secret && s.Plan is null) actions.Add(new CreateSecret());
        if (!s.Seen.Owned.Service) actions.Add(new ApplyService());
        if (!s.Seen.Owned.DisruptionBudget) actions.Add(new ApplyDisruptionBudget());
        if (s.Seen.StatefulSet is null) actions.Add(new ApplyStatefulSet(s.Replicas, s.Seen.PodDigest));
        return actions.Count == 0 ? null : Waiting(s, s.Seen.StatefulSet is null ? Fact.False(ConditionTypes.MembersPlaced, "Creating", "the job's StatefulSet is being made") : null) with { Actions = [.. actions] };
    }

    /// <summary>A Secret that somebody deleted, to have another token: agents still hold what it was, and nothing else waits for it.</summary>
    public static IEnumerable<PlannedAction> MissingSecret(Situation s) => s.Plan is null || s.Seen.Owned.Secret || s.Job.Spec.ManagementState is ManagementState.Unmanaged ? [] : [new CreateSecret()];

    /// <summary>
    /// A changed template: drain, scale to 0, wait until every pod is gone, apply the new template with all replicas. While pods of the old
    /// template exist the new one is never written: any pod recreated in between would come back from it beside its old peers.
    /// </summary>
    public static Move? Recreate(Situation s)
    {
        var set = s.Seen.StatefulSet!;
        if (set.PodDigest == s.Seen.PodDigest || s.Seen.TemplateFaults.Count > 0) return null;
        const string why = "the pod template changed";
        if (set.Replicas > 0)
        {
            if (Draining.Decide(s, why) is { } drain) return drain;
            return Because(s, Reasons.SpecChanged, why, Waiting(s, Fact.False(ConditionTypes.Running, "Recreating", why))).Then(new ScaleStatefulSet(set.Uid, 0, CountersSince: set.CountersSince)) with
            {
                Notes = [new("recreating all pods", why)],
            };
        }

        var move = Because(s, Reasons.SpecChanged, why, Waiting(s, Fact.False(ConditionTypes.Running, "Recreating", why)));
        return s.Seen.Pods.Count == 0 ? move.Then(new ApplyStatefulSet(s.Replicas, s.Seen.PodDigest)) : move.Then([.. Stuck(s)]);
    }

    /// <summary>
    /// A pod on an unreachable node stays Terminating for ever, as does one whose processes nobody can end: the machine of such a one is put aside first, within budget and breaker.
    /// What its workers might still write is cut off by the next epoch's fence.
    /// </summary>
    public static IEnumerable<PlannedAction> Stuck(Situation s) => s.Seen.Pods.Where(p => p.Terminating && Overstay.IsForced(s, p)).Select(p => new DeletePod(p.Name, p.Uid, Now: true)).Concat(SpareCare.PutAside(s, Overstay.Found));

    /// <summary>Brings pods back after a suspension or an intervention; null when there are some.</summary>
    public static Move? ScaleUp(Situation s)
    {
        if (s.Seen.StatefulSet is not { Replicas: 0 } set) return null;
        var edited = set.CountersSince > s.Launched?.CreatedAt;
        var (reason, message) = edited ? (Reasons.SpecChanged, "the spec was edited after the job had stopped") : (Reasons.Resumed, "the job is no longer suspended");
        return Because(s, reason, message, Waiting(s, Fact.False(ConditionTypes.Suspended, "Resumed"))).Then(new ScaleStatefulSet(set.Uid, s.Replicas, CountersSince: set.CountersSince));
    }

    /// <summary>Replicas for more nodes or spares at once, for fewer only when no member sits on the ordinals that would go.</summary>
    public static PlannedAction? Resize(Situation s)
    {
        var set = s.Seen.StatefulSet!;
        if (set.Replicas == s.Replicas || set.Replicas == 0) return null;
        var inUse = s.Members.Any(m => s.PodNamed(m.Planned.Pod) is { } pod && pod.Ordinal >= s.Replicas);
        return set.Replicas < s.Replicas || !inUse ? new ScaleStatefulSet(set.Uid, s.Replicas, Release: set.Release, CountersSince: set.CountersSince) : null;
    }

    public static Move Refused(Situation s, Move move) => move.With(Fact.False(ConditionTypes.PodTemplateValid, "Refused", string.Join("; ", s.Seen.TemplateFaults)));

    /// <summary>Remembers why the pods are new, or the next pass would only find the old ones missing.</summary>
    private static Move Because(Situation s, string reason, string message, Move move) => s.Plan is null || move.Memory.Incident?.Epoch == s.Plan.Epoch ? move : move with
    {
        Memory = move.Memory with
        {
            Drain = null,
            Incident = new() { Epoch = s.Plan.Epoch, CauseId = $"{reason}-{s.Plan.Epoch}-{s.Job.Metadata.Generation}", Reason = reason, Message = message, Severity = Severity.Planned, DetectedAt = s.Now },
        },
    };

    private static Move Waiting(Situation s, Fact? fact)
    {
        var move = new Move { Phase = s.Plan is null ? JobPhase.Provisioning : JobPhase.Recovering, Account = Accounts.Provision, Memory = s.Seen.Memory }.WakeIn(TimeSpan.FromSeconds(2));
        return fact is null ? move : move.With(fact);
    }
}
