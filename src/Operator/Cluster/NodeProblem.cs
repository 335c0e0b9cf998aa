using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Kubernetes;
using Opt.Operator.Rendering;
using Opt.Planning;

namespace Opt.Operator.Cluster;

/// <summary>
/// A quarantine as a condition of the node, for whoever repairs machines and does not know our labels. It follows node-problem-detector: True is a
/// problem, the reason is one word. The message ends with what to do, in the words of NVSentinel's health events (<c>RecommendedAction</c>).
/// </summary>
internal static class NodeProblem
{
    public const string Type = "TrainingProblem";
    private const string Healthy = "NoTrainingProblem";

    /// <summary>The patch of the node's status that makes the condition say what label and annotation say; null when it does. A node that never had a problem gets no condition.</summary>
    public static JsonObject? Patch(V1Node node, DateTimeOffset now)
    {
        var known = node.Status?.Conditions?.FirstOrDefault(c => c.Type == Type);
        var wanted = Wanted(node);
        // What servers add to conditions says nothing of the problem.
        if (Condition(known?.Status ?? "False", known?.Reason ?? Healthy, known?.Message ?? "") == wanted) return null;
        var condition = wanted with { LastHeartbeatTime = now, LastTransitionTime = known?.Status == wanted.Status ? null : now };
        return new() { ["metadata"] = new JsonObject { ["uid"] = node.Metadata.Uid }, ["status"] = new JsonObject { ["conditions"] = new JsonArray(JsonSerializer.SerializeToNode(condition, KubernetesJson.Default.V1NodeCondition)) } };
    }

    private static V1NodeCondition Wanted(V1Node node)
    {
        if (node.Metadata.Labels?.GetValueOrDefault(Names.QuarantinedLabel) is not { } label) return Condition("False", Healthy, "");
        var quarantine = NodeReader.Read(node).Quarantine!;
        var by = quarantine.Job is { } job ? $" (job {job})" : "";
        return Condition("True", label.Length > 0 ? label : "Manual", $"{quarantine.Reason}{by}; Recommended Action={RecommendedAction(label)}");
    }

    private static V1NodeCondition Condition(string status, string reason, string message) => new() { Type = Type, Status = status, Reason = reason, Message = message };

    /// <summary>One of NVSentinel's actions.</summary>
    /// <param name="reason">One of <see cref="Reasons"/>, or a person's word.</param>
    private static string RecommendedAction(string reason) => reason switch
    {
        Reasons.NodeLost or Reasons.AgentSilent or Reasons.PodFailed => "RESTART_VM",
        Reasons.DeviceFailed => "COMPONENT_RESET",
        Reasons.Hang or Reasons.Straggler or Reasons.DiagnosticsFailed or Reasons.DivergenceHardware or Reasons.ControlDiverged => "RUN_DCGMEUD",
        _ => "CONTACT_SUPPORT",
    };
}
