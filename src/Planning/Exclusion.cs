using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Diagnostics;

namespace Opt.Planning;

/// <summary>Which nodes the evidence is against, and putting them aside: label and cordon first, everything else after.</summary>
internal static class Exclusion
{
    /// <param name="Quarantines">Nodes to label and cordon now.</param>
    /// <param name="Uses">Budget uses after that.</param>
    /// <param name="Refused">The incident that found the budget used up; null when all were allowed.</param>
    /// <param name="Held">Why some evidence was not acted on; null when all was.</param>
    /// <param name="Shadows">What would have been done if the rung were not in Shadow mode.</param>
    public sealed record Result(EquatableList<PlannedAction> Quarantines, EquatableList<BudgetUse> Uses, Incident? Refused, Fact? Held, EquatableList<ShadowNote> Shadows);

    /// <summary>Decides on every suspect node of the job, members and spares alike.</summary>
    public static Result Decide(Situation s, Incident? incident, bool replaceCulprit)
    {
        var uses = Budgets.Current(s);
        var actions = new List<PlannedAction>();
        var shadows = new List<ShadowNote>();
        var outage = Outage.Found(s);
        var held = outage;
        foreach (var suspect in Suspects(s, replaceCulprit ? incident : null))
        {
            var node = suspect.Node is null ? null : s.NodeNamed(suspect.Node);
            if (outage is not null && node is { Ready: false }) continue;
            if (node?.Quarantine is null && actions.Count >= s.Seen.QuarantineRoom)
            {
                held = Fact.False(ConditionTypes.NodeActionsAllowed, "BreakerOpen", $"as many nodes of the cluster are quarantined as the operator may put aside; {suspect.Node} stays although {suspect.Message}");
                continue;
            }

            var budget = Budgets.OfReplacement(suspect.CauseId);
            if (node?.Quarantine is not null || uses.Any(u => u.Budget == budget && u.CauseId == suspect.CauseId)) continue;
            if (node is not null && NodeMemory.WasGivenBack(s, node, suspect)) continue;
            if (!Budgets.Allows(s, uses, budget)) return new([.. actions], uses, suspect, held, [.. shadows]);
            uses = Budgets.Add(uses, budget, suspect.CauseId, s.Now);
            if (Budgets.Spec(s.Policy, budget).Mode is PolicyMode.Shadow)
            {
                shadows.Add(new(suspect.CauseId, $"would have quarantined node {suspect.Node} and replaced its pod", $"{suspect.Reason}: {suspect.Message}; failurePolicy.{budget}.mode is Shadow"));
                held = Fact.False(ConditionTypes.NodeActionsAllowed, "Shadow", $"failurePolicy.{budget}.mode is Shadow; {suspect.Node} stays although {suspect.Message}");
                continue;
            }

            if (node is not null) actions.Add(NodeMemory.Quarantine(s, node, suspect));
        }

        return new([.. actions], uses, null, held, [.. shadows]);
    }

    private static IEnumerable<Incident> Suspects(Situation s, Incident? culprit)
    {
        if (culprit is not null) yield return culprit;
        foreach (var pod in s.Seen.Pods.Where(p => p.Node is not null && p.Node != culprit?.Node && !s.IsOnQuarantinedNode(p)))
        {
            if (Evidence(s, pod) is { } found)
            {
                yield return Suspect(s, pod, found.Reason, found.Message);
            }
        }
    }

    /// <summary>What is held against the node of a pod.</summary>
    public static Incident Suspect(Situation s, PodState pod, string reason, string message) => new()
    {
        Epoch = s.Plan?.Epoch ?? 0, CauseId = reason is Reasons.DiagnosticsFailed ? NodeFindings.CauseId(pod) : $"node-{pod.Node}-{pod.Uid}", Reason = reason, Message = message, Severity = Severity.Node,
        Pod = pod.Name, PodUid = pod.Uid, Node = pod.Node, DetectedAt = s.Now,
    };

    /// <summary>Null for a pod that goes already, as fast as it may.</summary>
    public static DeletePod? Deletion(Situation s, PodState pod) => Overstay.IsForced(s, pod) ? new(pod.Name, pod.Uid, Now: true) : pod.Terminating ? null : new(pod.Name, pod.Uid, Now: false);

    /// <summary>Evidence against a node that needs no incident: its device is broken, both its kubelet and its agent are silent, or it cannot end a pod.</summary>
    public static (string Reason, string Message)? Evidence(Situation s, PodState pod)
    {
        var agent = s.AgentOf(pod);
        if (agent is { Answers: true } && agent.Status!.Devices.FirstOrDefault(d => !d.Healthy) is { } device) return (Reasons.DeviceFailed, $"device {device.Index} ({device.Kind}) on {pod.Node} is unhealthy: {device.Detail}");
        if (NodeFindings.Against(s, pod) is { } fault) return (Reasons.DiagnosticsFailed, $"{pod.Name} on {pod.Node} failed its tests: {fault}");
        if (Overstay.Found(s, pod)) return (Reasons.PodFailed, Overstay.Message(s, pod));
        var dead = s.NodeOf(pod) is { Ready: false } && agent?.SilentSince is { } since && s.Now - since >= TimeSpan.FromSeconds(5);
        return dead && !s.Advances ? (Reasons.NodeLost, $"node {pod.Node} is not ready and the agent of {pod.Name} does not answer") : null;
    }

    /// <summary>
    /// Pods that must go before the next epoch can be whole: those on quarantined nodes, those that leave theirs, and the culprit where nodes
    /// cannot be labelled.
    /// </summary>
    /// <param name="isFenced">A pod that only leaves may still be training; it never goes before the fence.</param>
    public static EquatableList<PlannedAction> Deletions(Situation s, Incident? culprit, bool isFenced)
    {
        var doomed = s.Seen.Pods.Where(p => s.IsOnQuarantinedNode(p) || (isFenced && Leaving.MayGo(s, p)) || (!s.Seen.CanActOnNodes && p.Uid == culprit?.PodUid));
        return [.. doomed.Select(p => Deletion(s, p)).OfType<DeletePod>()];
    }
}
