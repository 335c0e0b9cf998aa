using Opt.Kubernetes;
using Opt.Operator.Rendering;
using Opt.Planning;

namespace Opt.Operator.Cluster;

/// <summary>How clusters say that a node goes out of service: the cordon, taints of autoscalers and termination handlers, conditions of cloud providers.</summary>
internal static class Departures
{
    private const string Unschedulable = "node.kubernetes.io/unschedulable";

    /// <summary>Taints put on a machine that is about to be removed or taken down.</summary>
    private static readonly HashSet<string> Removal = new(StringComparer.Ordinal)
    {
        "ToBeDeletedByClusterAutoscaler",                          // cluster-autoscaler
        "karpenter.sh/disrupted", "karpenter.sh/disruption",       // Karpenter, v1 and v1beta1
        "aws-node-termination-handler/spot-itn", "aws-node-termination-handler/scheduled-maintenance", "aws-node-termination-handler/asg-lifecycle-termination",
        "cloud.google.com/impending-node-termination",             // GKE
        "medik8s.io/drain",                                        // node-maintenance-operator
    };

    /// <summary>Conditions that AKS sets from Azure's scheduled events; a freeze passes within seconds and is not among them.</summary>
    private static readonly HashSet<string> Notices = new(StringComparer.Ordinal) { "TerminateScheduled", "PreemptScheduled", "RedeployScheduled", "RebootScheduled" };

    /// <summary>Null for a node in service, and for one that we put aside ourselves.</summary>
    public static Departure? Read(V1Node node)
    {
        if (node.Metadata.Labels?.ContainsKey(Names.QuarantinedLabel) == true) return null;
        var closing = (node.Spec?.Taints ?? []).FirstOrDefault(t => t is { Key: not null, Effect: "NoSchedule" or "NoExecute" } && Removal.Contains(t.Key));
        var notice = (node.Status?.Conditions ?? []).FirstOrDefault(c => c is { Type: not null, Status: "True" } && Notices.Contains(c.Type));
        var cordoned = node.Spec?.Unschedulable == true || (node.Spec?.Taints ?? []).Any(t => t is { Key: Unschedulable, Effect: "NoSchedule" });
        if (closing is not null) return new($"node {node.Metadata.Name} is tainted {closing.Key}", IsClosed: true, IsUrgent: true);
        if (notice is not null) return new($"node {node.Metadata.Name} has the condition {notice.Type}: {notice.Message ?? notice.Reason}", IsClosed: cordoned, IsUrgent: true);
        return cordoned ? new($"node {node.Metadata.Name} is cordoned", IsClosed: true, IsUrgent: false) : null;
    }
}
