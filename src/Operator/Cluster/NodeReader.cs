using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Kubernetes;
using Opt.Operator.Rendering;
using Opt.Planning;

namespace Opt.Operator.Cluster;

/// <summary>A node as decisions see it.</summary>
internal static class NodeReader
{
    private const string ZoneLabel = "topology.kubernetes.io/zone";

    /// <param name="rackLabel">The label that names a node's block of machines, where the job says which it is.</param>
    public static NodeState Read(V1Node node, string? rackLabel = null)
    {
        var ready = node.Status?.Conditions?.FirstOrDefault(c => c.Type == "Ready");
        return new()
        {
            Name = node.Metadata.Name!,
            Uid = node.Metadata.Uid!,
            Ready = ready?.Status is "True",
            NotReadySince = ready?.Status is "True" ? null : ready?.LastTransitionTime,
            KubeletSpeaks = ready?.Status is "False",
            Trouble = ready?.Status is "True" ? null : $"{ready?.Reason ?? "no Ready condition"}: {ready?.Message}",
            Quarantine = Quarantine(node),
            Departure = Departures.Read(node),
            Cordoned = node.Spec?.Unschedulable == true,
            Zone = Label(node, ZoneLabel),
            Rack = rackLabel is null ? null : Label(node, rackLabel),
            History = NodeHistories.Parse(node.Metadata.Annotations?.GetValueOrDefault(Names.OffencesAnnotation)),
        };
    }

    private static string? Label(V1Node node, string name) => node.Metadata.Labels?.GetValueOrDefault(name) is { Length: > 0 } value ? value : null;

    private static Quarantine? Quarantine(V1Node node)
    {
        if (node.Metadata.Labels?.GetValueOrDefault(Names.QuarantinedLabel) is not { } reason) return null;
        var details = Details(node.Metadata.Annotations?.GetValueOrDefault(Names.QuarantineAnnotation));
        return new()
        {
            Reason = (string?)details?["message"] ?? reason,
            Job = (string?)details?["job"],
            JobUid = (string?)details?["jobUid"],
            CauseId = (string?)details?["causeId"],
            Since = (DateTimeOffset?)details?["at"] ?? DateTimeOffset.MinValue,
            Until = (DateTimeOffset?)details?["until"],
            KeepsCordon = (bool?)details?["keepsCordon"] ?? false,
        };
    }

    private static JsonObject? Details(string? annotation)
    {
        try
        {
            return annotation is null ? null : JsonNode.Parse(annotation) as JsonObject;
        }
        catch (JsonException)
        {
            return null;   // a person wrote it; the label alone counts
        }
    }
}
