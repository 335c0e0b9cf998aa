using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Diagnostics;

namespace Opt.Planning;

/// <summary>Every deadline that runs, for those who watch: what the operator has noticed, and until when it waits before it acts.</summary>
internal static class Watches
{
    private const int Shown = 32;

    /// <summary>One unanswered poll is no news.</summary>
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(5);

    public static EquatableList<WatchStatus> Of(Situation s, Move move)
    {
        if (s.Job.Spec.ManagementState is not ManagementState.Managed || move.Phase is JobPhase.Suspended or JobPhase.Paused) return [];
        return [.. Training(s, move).Concat(Machines(s)).Concat(Waits(s, move)).OrderBy(w => w.Until ?? DateTimeOffset.MaxValue).ThenBy(w => w.Since).ThenBy(w => w.What, StringComparer.Ordinal).ThenBy(w => w.Pod, StringComparer.Ordinal).Take(Shown)];
    }

    /// <summary>Steps that do not come.</summary>
    private static IEnumerable<WatchStatus> Training(Situation s, Move move)
    {
        if (s.Plan is null || move.Memory.Incident is not null || s.Advances) yield break;
        DateTimeOffset? Unless(TimeSpan limit) => IncidentDetection.IsCutOff(s) ? null : s.AdvancedAt + limit;
        if (s.HasStepped) yield return new() { What = "hang", Since = s.AdvancedAt, Until = Unless(IncidentDetection.HangLimit(s)) };
        else yield return new() { What = "launch", Since = s.AdvancedAt, Until = Unless(s.Policy.LaunchDeadline) };
        if (s.Members.Any(m => m.Runs(s.Plan) && m.Status!.State is AgentState.Failed)) yield return new() { What = "peerLost", Since = s.AdvancedAt, Until = s.AdvancedAt + IncidentDetection.CulpritPatience };
    }

    /// <summary>Machines and pods that do not answer, are not ready, or do not end. While steps advance members are left alone.</summary>
    private static IEnumerable<WatchStatus> Machines(Situation s)
    {
        var spared = s.Advances || IncidentDetection.IsCutOff(s);
        foreach (var pod in s.Seen.Pods.Where(p => p.Node is not null))
        {
            var isMember = s.MemberWith(pod.Uid) is not null;
            var silent = s.AgentOf(pod)?.SilentSince is { } since && s.Now - since >= Least ? since : (DateTimeOffset?)null;
            if (pod is { Terminating: true, GraceEnds: { } end }) yield return Watch("termination", pod, end, end + Overstay.Patience);
            else if (s.NodeOf(pod) is { Ready: false, Quarantine: null } node) yield return Watch("nodeNotReady", pod, node.NotReadySince ?? silent ?? s.Now, silent is null || (isMember && spared) ? null : isMember ? silent.Value + Least : silent.Value + SpareCare.Absence);
            else if (silent is not null) yield return Watch(isMember ? "agentSilence" : "spare", pod, silent.Value, isMember && !spared ? silent + s.Policy.AgentSilence : null);
        }
    }

    /// <summary>What the job itself waits for.</summary>
    private static IEnumerable<WatchStatus> Waits(Situation s, Move move)
    {
        if (move.Memory.ShortSince is { } since) yield return new() { What = "provision", Since = since, Until = since + s.Policy.ProvisionDeadline };
        if (move.Memory.DepartingSince is { } departing && s.Policy.LeaveNode.Mode is PolicyMode.Enforce) yield return new() { What = "waitForSpare", Since = departing, Until = departing + s.Policy.LeaveNode.WaitForSpare };
        if (move.Memory.Drain is { } drain) yield return new() { What = "drain", Since = drain.Since, Until = drain.Since + Draining.Deadline };
        foreach (var pod in s.Seen.Pods)
        {
            if (NodeFindings.Reports(s, pod).FirstOrDefault(r => r.State is DiagnosticsState.Running) is { } run) yield return Watch("diagnostics", pod, run.StartedAt, run.StartedAt + s.Policy.Diagnostics.Deadline);
        }
    }

    private static WatchStatus Watch(string what, PodState pod, DateTimeOffset since, DateTimeOffset? until) => new() { What = what, Node = pod.Node, Pod = pod.Name, Since = since, Until = until };
}
