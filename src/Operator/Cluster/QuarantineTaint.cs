using System.Text.Json.Nodes;
using Opt.Kubernetes;
using Opt.Operator.Rendering;

namespace Opt.Operator.Cluster;

/// <summary>
/// The NoExecute taint of a quarantine, where the job asks for it. A node's taints are one list without keys, so a patch writes all of them: it must carry the version that it
/// was made from.
/// </summary>
internal static class QuarantineTaint
{
    private const string NoExecute = "NoExecute";

    public static bool IsOn(V1Node node) => (node.Spec?.Taints ?? []).Any(IsOurs);

    /// <summary>The node's taints with ours.</summary>
    public static JsonArray With(V1Node node, string reason) => new([.. Others(node), new JsonObject { ["key"] = Names.QuarantinedLabel, ["value"] = reason, ["effect"] = NoExecute }]);

    /// <summary>The node's taints without ours; null for none.</summary>
    public static JsonArray? Without(V1Node node) => Others(node) is { Length: > 0 } others ? new(others) : null;

    private static JsonNode[] Others(V1Node node) => [.. (node.Spec?.Taints ?? []).Where(t => !IsOurs(t)).Select(t => System.Text.Json.JsonSerializer.SerializeToNode(t, KubernetesJson.Default.V1Taint)!)];

    private static bool IsOurs(V1Taint taint) => taint is { Key: Names.QuarantinedLabel, Effect: NoExecute };
}
