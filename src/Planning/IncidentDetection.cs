using Opt.Api.Protocol;

namespace Opt.Planning;

/// <summary>
/// Finds what ended the current epoch. First evidence of a fault of its own counts (a worker's exit that is not peer-lost, a pod, a node),
/// then absence (an agent's silence, no step), last what can only be a consequence.
/// </summary>
internal static class IncidentDetection
{
    /// <summary>Workers that only lost their peers wait this long for the culprit to show.</summary>
    public static readonly TimeSpan CulpritPatience = TimeSpan.FromSeconds(15);

    public static Incident? Find(Situation s)
    {
        if (s.Plan is null) return null;
        return WorkerFailure(s) ?? LostPod(s) ?? RestartedAgent(s) ?? Superseded(s) ?? Quarantined(s) ?? LostNode(s) ?? SilentAgent(s) ?? Stalled(s) ?? Consequence(s);
    }

    private static Incident? WorkerFailure(Situation s)
    {
        var failed = s.Members.Where(m => m.Runs(s.Plan!) && m.Status is { State: AgentState.Failed, Failure: not null } && !WorkerFailures.IsConsequence(m.Status.Failure.Exit))
            .OrderBy(m => m.Status!.Failure!.At).ThenBy(m => m.Index).FirstOrDefault();
        if (failed?.Status?.Failure is not { } failure) return null;
        var (severity, reason) = WorkerFailures.Classify(failure.Exit);
        var misfit = severity is Severity.User ? Misfit.Judge(s, failed, reason) : (Severity: severity, Said: "");
        var how = failure.Signal is { } signal ? $"signal {signal}" : $"exit code {failure.ExitCode}";
        return Of(s, failed, $"worker-{s.Plan!.Epoch}-{failure.Rank}", reason, misfit.Severity, $"rank {failure.Rank} on {failed.Planned.Pod} ({failed.Planned.Node}) ended with {how}: {failure.Message}{misfit.Said}") with
        {
            BadCheckpoint = failure.Exit is WorkerExit.Checkpoint ? s.Plan.Resume?.ManifestDigest : null,
        };
    }

    private static Incident? LostPod(Situation s) => s.Members.Select(m => LostPod(s, m)).FirstOrDefault(incident => incident is not null);

    private static Incident? LostPod(Situation s, Member member)
    {
        // As it was when it ended: a pod that fails by itself is deleted by its controller afterwards, which is nobody's wish.
        var pod = s.Seen.Evidence.FirstOrDefault(p => p.Uid == member.Planned.PodUid) ?? member.Pod;
        if (pod is { Phase: "Failed", Terminating: false }) return FailedPod(s, member, pod);
        var ended = pod is { Phase: "Succeeded" or "Failed" };
        if (!ended && member.Pod is { Terminating: false }) return null;
        // Terminating on a dead node lasts for ever; the node is what failed then.
        if (member is { Pod.Terminating: true, Node.Ready: false, Agent.SilentSince: not null }) return DeadNode(s, member);
        // An agent never ends by itself: whoever deleted the pod told it to, or had it killed when it took too long. Its machine did nothing wrong.
        var how = ended ? "ended from outside" : member.Pod is null ? "removed" : "deleted";
        return Of(s, member, $"pod-{member.Planned.PodUid}", Reasons.PodLost, Severity.Planned, $"pod {member.Planned.Pod} was {how}{Because(pod)}");
    }

    private static Incident FailedPod(Situation s, Member member, PodState evidence)
    {
        // Preemption, evictions through the API or by a taint, and the end of a node that was removed are somebody's wish, not the node's fault.
        var severity = evidence.Disruption is "PreemptionByScheduler" or "EvictionByEvictionAPI" or "DeletionByTaintManager" or "DeletionByPodGC" ? Severity.Planned : Severity.Node;
        return Of(s, member, $"pod-{member.Planned.PodUid}", Reasons.PodFailed, severity, $"pod {member.Planned.Pod} on {member.Planned.Node} failed{Because(evidence)}");
    }

    private static Incident? RestartedAgent(Situation s) => s.Members.FirstOrDefault(m => m.Agent is { Answers: true } && !m.IsSameAgent) is { } member
        ? Of(s, member, $"agent-{member.Status!.Instance}", Reasons.AgentRestarted, Severity.Process, $"the agent of {member.Planned.Pod} on {member.Planned.Node} restarted, and its workers with it{Because(member.Pod)}")
        : null;

    /// <summary>Somebody fenced past this epoch and died before writing a plan, or an agent refuses the plan: only a higher epoch helps.</summary>
    private static Incident? Superseded(Situation s)
    {
        var ahead = s.Members.FirstOrDefault(m => m.Status is { } status && status.Epoch > s.Plan!.Epoch);
        if (ahead is not null) return Of(s, null, $"fenced-{s.Plan!.Epoch}", Reasons.EpochFenced, Severity.Planned, $"the agent of {ahead.Planned.Pod} knows epoch {ahead.Status!.Epoch}: epoch {s.Plan.Epoch} is fenced");
        var refused = s.Members.FirstOrDefault(m => m.Agent?.Refusal?.Plan.Epoch == s.Plan!.Epoch);
        return refused is null ? null : Of(s, null, $"refused-{s.Plan!.Epoch}", Reasons.PlanRefused, Severity.Shared, $"the agent of {refused.Planned.Pod} refused the plan: {refused.Agent!.Refusal!.Error}");
    }

    private static Incident? Quarantined(Situation s) => s.Members.FirstOrDefault(m => m.Node?.Quarantine is not null) is { } member
        ? Of(s, member, member.Node!.Quarantine!.CauseId ?? $"quarantine-{member.Planned.Node}-{s.Plan!.Epoch}", Reasons.NodeQuarantined, Severity.Planned, $"node {member.Planned.Node} is quarantined: {member.Node.Quarantine.Reason}")
        : null;

    private static Incident? LostNode(Situation s)
    {
        // Two observers agree: the cluster does not hear the node's kubelet, and we do not hear the node's agent.
        if (s.Advances) return null;
        return s.Members.FirstOrDefault(m => m is { Node.Ready: false, Agent.SilentSince: not null }) is { } member ? DeadNode(s, member) : null;
    }

    private static Incident DeadNode(Situation s, Member member) =>
        Of(s, member, $"node-{member.Planned.Node}-{s.Plan!.Epoch}", Reasons.NodeLost, Severity.Node, $"node {member.Planned.Node} is not ready ({member.Node!.Trouble ?? "no reason given"}) and the agent of {member.Planned.Pod} does not answer");

    private static Incident? SilentAgent(Situation s)
    {
        var limit = s.Policy.AgentSilence;
        if (s.HasStepped && s.Still < limit) return null;
        var silent = s.Members.Where(m => m.Agent?.SilentSince is { } since && s.Now - since >= limit).OrderBy(m => m.Agent!.SilentSince).ToArray();
        // Most agents silent at once is more likely our own network than theirs: one observer alone does not condemn a majority. All that are silent
        // count, however short: they were not found so at the same moment.
        var unheard = s.Members.Count(m => m.Agent?.SilentSince is not null);
        if (silent.Length == 0 || (unheard > 1 && 2 * unheard > s.Members.Count)) return null;
        var first = silent[0];
        return Of(s, first, $"silent-{first.Planned.PodUid}-{s.Plan!.Epoch}", Reasons.AgentSilent, Severity.Node,
            $"the agent of {first.Planned.Pod} on {first.Planned.Node} has not answered for {(s.Now - first.Agent!.SilentSince!.Value).TotalSeconds:0} s and no step advances: {first.Agent.Error}");
    }

    /// <summary>Most agents are silent though the cluster says that their machines are well: our own line is cut, and nothing is known of the training.</summary>
    public static bool IsCutOff(Situation s)
    {
        var silent = s.Members.Count(m => m is { Agent.SilentSince: not null, Pod: { Phase: "Running", Terminating: false, Trouble: null }, Node: not { Ready: false } });
        return silent > 1 && 2 * silent > s.Members.Count;
    }

    private static Incident? Stalled(Situation s)
    {
        if (IsCutOff(s) || s.Members.All(m => m.Status?.State is AgentState.Completed)) return null;
        var since = s.Now - s.AdvancedAt;
        if (!s.HasStepped)
        {
            return since < s.Policy.LaunchDeadline ? null : Of(s, null, $"launch-{s.Plan!.Epoch}", Reasons.LaunchDeadline, Severity.Shared, $"no step within {since.TotalSeconds:0} s of the launch ({Waiting(s)})");
        }

        var limit = HangLimit(s);
        return s.Still < limit ? null : Of(s, Slowest(s), $"hang-{s.Plan!.Epoch}-{s.Seen.Steps.Newest!.Attempt}", Reasons.Hang, Severity.Process,
            $"no step for {since.TotalSeconds:0} s after attempt {s.Seen.Steps.Newest!.Attempt} (limit {limit.TotalSeconds:0} s, median step {s.Seen.Steps.MedianSeconds:0.###} s)");
    }

    /// <summary>When a run that has stepped counts as hanging.</summary>
    public static TimeSpan HangLimit(Situation s)
    {
        var factor = TimeSpan.FromSeconds(s.Policy.HangFactor * s.Seen.Steps.MedianSeconds);
        var limit = factor > s.Policy.HangAtLeast ? factor : s.Policy.HangAtLeast;
        return Draining.IsLastSave(s) ? Draining.Deadline + limit : limit;
    }

    /// <summary>The one member behind all others, if there is one.</summary>
    private static Member? Slowest(Situation s)
    {
        var known = s.Members.Where(m => m.Runs(s.Plan!)).ToArray();
        if (known.Length < 2 || known.Length < s.Members.Count) return null;
        var least = known.Min(m => m.Status!.LastAttempt);
        var behind = known.Where(m => m.Status!.LastAttempt == least).ToArray();
        return behind.Length == 1 ? behind[0] : null;
    }

    private static Incident? Consequence(Situation s)
    {
        var ended = s.Members.Where(m => m.Runs(s.Plan!) && m.Status!.State is AgentState.Failed).ToArray();
        // A silent agent may be the culprit: its own deadline decides then.
        if (ended.Length > 0 && s.Members.All(m => m.Agent is { Answers: true }) && s.Now - s.AdvancedAt >= CulpritPatience)
        {
            return Of(s, null, $"peers-{s.Plan!.Epoch}", Reasons.PeerLost, Severity.Shared, $"workers on {ended[0].Planned.Pod} lost a peer, and no agent reports why: {ended[0].Status!.Failure?.Message ?? "no message"}");
        }

        var done = s.Members.Count > 0 && s.Members.All(m => m.Runs(s.Plan!) && m.Status!.State is AgentState.Completed);
        return done && !Completion.IsReached(s) && s.Seen.Memory.Drain?.Epoch != s.Plan!.Epoch
            ? Of(s, null, $"stopped-{s.Plan!.Epoch}", Reasons.StoppedEarly, Severity.Shared, "all workers ended before the last step, and nobody asked for it")
            : null;
    }

    private static string Waiting(Situation s)
    {
        var behind = s.Members.Where(m => !m.Runs(s.Plan!)).Select(m => m.Planned.Pod).ToArray();
        if (behind.Length > 0) return $"{string.Join(", ", behind.Take(3))} did not take the plan";
        var states = s.Members.SelectMany(m => m.Status!.Workers).GroupBy(w => w.State).OrderBy(g => g.Key).Select(g => $"{g.Count()} in {g.Key}");
        return string.Join(", ", states);
    }

    private static string Because(PodState? pod) => pod?.Trouble is { } trouble ? $": {trouble}" : "";

    private static Incident Of(Situation s, Member? member, string cause, string reason, Severity severity, string message) => new()
    {
        Epoch = s.Plan!.Epoch,
        CauseId = cause,
        Reason = reason,
        Severity = severity,
        Message = message,
        Pod = member?.Planned.Pod,
        PodUid = member?.Planned.PodUid,
        Node = member?.Planned.Node,
        DetectedAt = s.Now,
    };
}
