using Opt.Api;
using Opt.Api.Protocol;
using Opt.Planning.Stacks;

namespace Opt.Planning;

/// <summary>
/// Before a run that stands still is ended, all agents are asked once where their workers stand: that is the evidence of who holds whom up, and it is gone with the
/// processes. An operator that dies in between asks again; one that gets no answer goes on without.
/// </summary>
internal static class HangStacks
{
    /// <summary>The run is ended then, whatever has been collected. The executor gives up sooner.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Asks; null when there is nothing to ask, or no more.</summary>
    public static Move? Collect(Situation s, Incident incident)
    {
        if (incident.Reason is not (Reasons.Hang or Reasons.LaunchDeadline) || s.Fence is not null || Of(s, incident) is not null || s.Now - incident.DetectedAt >= Patience) return null;
        var asked = s.Members.Where(m => m is { Pod: not null, Agent.Answers: true } && m.Runs(s.Plan!)).Select(m => new StackTarget(m.Planned.Pod, m.Planned.PodUid)).ToArray();
        if (asked.Length == 0) return null;
        return Recovery.Waiting(s, s.Seen.Memory with { Incident = incident }, Accounts.Diagnose)
            .With(Fact.False(ConditionTypes.Running, incident.Reason, incident.Message)).Then(new CollectStacks(incident.CauseId, [.. asked]));
    }

    /// <summary>The incident with what the stacks say: who stands out among those that wait, if one does.</summary>
    public static Incident Judge(Situation s, Incident incident)
    {
        if (Of(s, incident) is not { IsTold: false } stacks || incident.Reason is not Reasons.Hang) return incident;
        if (StackReading.Culprit(Ranks(s, stacks)) is not { } culprit) return incident;
        return incident with
        {
            Pod = culprit.Member.Planned.Pod, PodUid = culprit.Member.Planned.PodUid, Node = culprit.Member.Planned.Node,
            Message = $"{incident.Message}; rank {culprit.Rank} on {culprit.Member.Planned.Node}: {StackReading.Say(culprit.Stack)}",
        };
    }

    /// <summary>Writes what was collected into the logbook, once.</summary>
    public static Move Tell(Situation s, Incident incident, Move move)
    {
        if (Of(s, incident) is not { IsTold: false } stacks) return move;
        var ranks = Ranks(s, stacks);
        var silent = s.Members.Where(m => stacks.Answers.All(a => a.PodUid != m.Planned.PodUid || a.Report is null)).Select(m => $"{m.Planned.Pod} ({m.Planned.Node})").ToArray();
        var note = new Note($"collected the stacks of {ranks.Count} of {s.Plan!.WorldSize} ranks", StackReading.Summary(ranks, silent));
        return move with { Notes = [.. move.Notes, note], Memory = move.Memory with { Stacks = stacks with { IsTold = true } } };
    }

    private static StackCollection? Of(Situation s, Incident incident) => s.Seen.Memory.Stacks is { } stacks && stacks.CauseId == incident.CauseId ? stacks : null;

    private static List<RankStack> Ranks(Situation s, StackCollection stacks)
    {
        var epoch = s.Plan!.Epoch;
        return [.. stacks.Answers.Where(a => a.Report?.Epoch == epoch).Select(a => (Member: s.MemberWith(a.PodUid), a.Report)).Where(a => a.Member is not null)
            .SelectMany(a => a.Report!.Workers.Select(w => new RankStack(w.Rank, a.Member!, w))).OrderBy(r => r.Rank)];
    }
}
