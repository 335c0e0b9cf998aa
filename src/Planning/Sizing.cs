using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>
/// Running with fewer machines than asked for, where the spec allows it, and growing back. Members are dropped from the plan, never replicas: the pods
/// that are missing stay asked for, and join at the next launch.
/// </summary>
internal static class Sizing
{
    /// <summary>Pods that start are waited for no longer: a smaller run, and growing back, cost about as much as that, and a lost machine is away for hours.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>A pod that is missing has been given a machine by then, if there is one.</summary>
    private static readonly TimeSpan Binding = TimeSpan.FromSeconds(30);

    /// <summary>Machines that came back must stay for so long before a run is interrupted for them.</summary>
    private static readonly TimeSpan Steadiness = TimeSpan.FromMinutes(1);

    /// <summary>Members of the next plan: all, or those there are once the others were waited for long enough. Null while there are too few.</summary>
    /// <param name="able">Machines that can take part.</param>
    public static int? Of(Situation s, int able)
    {
        if (able >= s.Nodes) return s.Nodes;
        var wanted = IsComing(s) ? Patience : Binding;
        var patience = s.Policy.ProvisionDeadline < wanted ? s.Policy.ProvisionDeadline : wanted;
        var waited = s.Seen.Memory.ShortSince is { } since && s.Now - since >= patience;
        // A run that is short already does not wait again for what it did without.
        return able >= s.Fewest && (waited || (IsShort(s) && able >= s.Plan!.Members.Count)) ? able : null;
    }

    /// <summary>In Shadow mode a smaller run is only told.</summary>
    /// <param name="size">What <see cref="Of"/> says.</param>
    public static ShadowNote? Held(Situation s, int? size) => s.Policy.Shrink.Mode is not PolicyMode.Shadow || size is not { } fewer || fewer == s.Nodes ? null
        : new($"shrink-{s.Plan?.Epoch ?? 0}", $"would have gone on with {fewer} of {s.Nodes} machines", $"topology.minNodes is {s.Fewest}; failurePolicy.shrink.mode is Shadow");

    /// <summary>A pod is on its way to take part: it starts, or ends, on a machine in service. Else no machine is free, and those that are missing come when they come.</summary>
    private static bool IsComing(Situation s)
    {
        var here = s.Candidates.Select(p => p.Uid).ToHashSet(StringComparer.Ordinal);
        return s.Seen.Pods.Any(p => !here.Contains(p.Uid) && p.Ordinal < s.Replicas && s.NodeOf(p) is { Ready: true } && (p.Terminating || !s.IsOnQuarantinedNode(p)));
    }

    /// <summary>The current plan has fewer members than the spec asks for, because there were no more.</summary>
    public static bool IsShort(Situation s) => s.Plan is { } plan && plan.Members.Count < s.Nodes && s.Fewest < s.Nodes;

    /// <summary>Takes in machines that came back, after a save; null while there are none.</summary>
    public static Move? Grow(Situation s)
    {
        if (!IsShort(s) || More(s) == 0 || s.Seen.Memory.MoreSince is not { } since || s.Now - since < Steadiness) return null;
        var why = $"{More(s)} more machines are there: {s.Plan!.Members.Count} of {s.Nodes} trained";
        return Draining.Decide(s, why) ?? Recovery.Decide(s, new() { Epoch = s.Plan.Epoch, CauseId = $"grow-{s.Plan.Epoch}", Reason = Reasons.NodesReturned, Message = why, Severity = Severity.Planned, DetectedAt = s.Now });
    }

    /// <summary>What steady running adds: since when there are more machines, and that the job is short.</summary>
    public static Move Watched(Situation s, Move move)
    {
        if (!IsShort(s)) return move with { Memory = move.Memory with { MoreSince = null } };
        move = move with { Memory = move.Memory with { MoreSince = More(s) == 0 ? null : s.Seen.Memory.MoreSince ?? s.Now } };
        return (More(s) == 0 ? move : move.WakeIn(Steadiness)).With(Fact.False(ConditionTypes.MembersPlaced, "Short", $"runs on {s.Plan!.Members.Count} of {s.Nodes} machines; topology.minNodes is {s.Fewest}"));
    }

    /// <summary>Machines that could train and do not.</summary>
    private static int More(Situation s) => Math.Min(s.Nodes - s.Plan!.Members.Count, s.Candidates.Count(c => !s.IsLeaving(c) && s.MemberWith(c.Uid) is null));
}
