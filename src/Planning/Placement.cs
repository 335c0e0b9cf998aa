using Opt.Api.V1Alpha1;
using Opt.Planning.Diagnostics;

namespace Opt.Planning;

/// <summary>Waiting for machines, with an end: a job that cannot place all members by its deadline releases what it has and tries again later.</summary>
public static class Placement
{
    /// <summary>Reason of the condition while a job waits for machines and holds what it has: other jobs look for it.</summary>
    public const string Waiting = "Waiting";

    private static readonly TimeSpan FirstBackOff = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestBackOff = TimeSpan.FromMinutes(5);

    internal static Move Wait(Situation s, Memory memory)
    {
        if (IsQueued(s)) return Recovery.Waiting(s, memory with { ShortSince = null }, Accounts.Provision).With(Fact.False(ConditionTypes.MembersPlaced, "Queued", Why(s)));
        var since = memory.ShortSince ?? s.Now;
        var behind = ReleaseOrder.Behind(s).Select(r => r.Job).ToArray();
        var behindAt = behind.Length > 0 ? s.Now : memory.BehindAt;
        var left = ReleaseOrder.Left(s, since, behindAt);
        var why = Why(s);
        if (left > TimeSpan.Zero)
        {
            var first = s.Now - since < s.Policy.ProvisionDeadline || behind.Length == 0 ? "" : $"; {string.Join(", ", behind.Take(3))} must release machines first";
            return Recovery.Waiting(s, memory with { ShortSince = since, BehindAt = behindAt }, Accounts.Provision).With(Fact.False(ConditionTypes.MembersPlaced, Waiting, why + first)).WakeIn(left);
        }

        var times = 1 + (s.Seen.StatefulSet!.Release?.Times ?? 0);
        // What led here is settled: pods that come back are judged by what they do then, not by a machine they no longer sit on.
        return new Move { Phase = JobPhase.Provisioning, Account = Accounts.Provision, Memory = memory with { ShortSince = null, BehindAt = null, Incident = null }, Notes = [new("released all pods", $"not all members could be placed within {Opt.Api.DurationConverter.Format(s.Policy.ProvisionDeadline)}: {why}")] }
            .Then(new ScaleStatefulSet(s.Seen.StatefulSet.Uid, 0, Release: new(s.Now, times, s.Priority), CountersSince: s.Seen.StatefulSet.CountersSince))
            .With(Fact.False(ConditionTypes.MembersPlaced, "Released", why))
            .WakeIn(BackOff(times));
    }

    /// <summary>A queueing system holds all pods back by a gate: there is nothing to release, and a job that asked anew would go to the end of its queue.</summary>
    private static bool IsQueued(Situation s) => s.Seen.Pods.Count > 0 && s.Seen.Pods.All(p => p.Node is null && p.Trouble?.StartsWith("SchedulingGated", StringComparison.Ordinal) == true);

    /// <summary>While released: waits, then asks for the pods again. Null when the job is not released.</summary>
    internal static Move? Released(Situation s)
    {
        if (s.Seen.StatefulSet is not { Release: { } release, Replicas: 0 } set) return null;
        var left = release.At > s.Now ? TimeSpan.Zero : release.At + BackOff(release.Times) - s.Now;   // the clock may have been set back
        // A pod on a dead machine would stay Terminating for ever, and its ordinal with it.
        var move = new Move { Phase = JobPhase.Provisioning, Account = Accounts.Provision, Memory = s.Seen.Memory with { ShortSince = null } }.Then([.. Provisioning.Stuck(s)]);
        if (left <= TimeSpan.Zero && -left < s.Policy.ProvisionDeadline && ReleaseOrder.Ahead(s).Select(r => r.Job).ToArray() is { Length: > 0 } ahead)
        {
            return move.With(Fact.False(ConditionTypes.MembersPlaced, "Released", $"{string.Join(", ", ahead.Take(3))} may take the machines first")).WakeIn(ReleaseOrder.Glance);
        }

        return left > TimeSpan.Zero ? move.WakeIn(left) : move.Then(new ScaleStatefulSet(set.Uid, s.Replicas, Release: release, CountersSince: set.CountersSince)).WakeIn(TimeSpan.FromSeconds(2));
    }

    private static TimeSpan BackOff(int times)
    {
        var delay = FirstBackOff * Math.Pow(2, Math.Min(times - 1, 10));
        return delay < LongestBackOff ? delay : LongestBackOff;
    }

    /// <summary>Who is missing and why, in one line: the first few pods with the cluster's own words.</summary>
    private static string Why(Situation s)
    {
        var ready = s.Candidates.Select(p => p.Uid).ToHashSet(StringComparer.Ordinal);
        var missing = s.Seen.Pods.Where(p => !ready.Contains(p.Uid)).Take(3).Select(p => $"{p.Name} {Trouble(s, p)}").ToList();
        var absent = s.Replicas - s.Seen.Pods.Count;
        if (absent > 0) missing.Add($"{absent} pods do not exist yet");
        return $"{s.Candidates.Count} of {s.Nodes} members ready; {string.Join("; ", missing)}";
    }

    private static string Trouble(Situation s, PodState pod)
    {
        if (pod.Terminating) return $"is terminating on {pod.Node ?? "no node"}";
        if (s.IsLeaving(pod)) return $"is on node {pod.Node}, which is taken out of service";
        if (s.IsOnQuarantinedNode(pod)) return $"is on quarantined node {pod.Node}";
        if (pod.Phase is not "Running" || pod.Trouble is not null) return $"is {pod.Phase}{(pod.Trouble is null ? "" : $": {pod.Trouble}")}";
        if (s.Seen.StatefulSet is { } set && pod.Revision != set.UpdateRevision) return $"is of revision {pod.Revision}, not {set.UpdateRevision}";
        if (Verification.Trouble(s, pod) is { } untested) return untested;
        var agent = s.AgentOf(pod);
        return agent is { Answers: true } ? "has an agent that cannot take part" : $"has no agent that answers{(agent?.Error is null ? "" : $": {agent.Error}")}";
    }
}
