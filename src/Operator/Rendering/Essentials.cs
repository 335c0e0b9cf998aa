using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;

namespace Opt.Operator.Rendering;

/// <summary>What no template may take away, since failure handling rests on it: labels, one pod a node, the quarantine rule, no eviction by taint.</summary>
internal static class Essentials
{
    private const string Hostname = "kubernetes.io/hostname";

    public static JsonObject Enforce(OptTrainingJob job, JsonObject template)
    {
        var labels = Child(Child(template, "metadata"), "labels");
        foreach (var (name, value) in OwnedObjects.Labels(job)) labels[name] = value?.DeepClone();
        if (job.Spec.Pod.Network?.Tls is true) labels[Names.AgentSchemeLabel] = Uri.UriSchemeHttps;   // who asks it, and who scrapes it, must know
        var spec = Child(template, "spec");
        spec["restartPolicy"] = "Always";   // a StatefulSet accepts nothing else
        Tolerations(job, spec);
        var affinity = Child(spec, "affinity");
        OnePodANode(job, Child(affinity, "podAntiAffinity"));
        NoQuarantinedNode(Child(Child(affinity, "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution"));
        return template;
    }

    /// <summary>Only the operator evicts: not-ready and unreachable are tolerated without limit.</summary>
    private static void Tolerations(OptTrainingJob job, JsonObject spec)
    {
        var tolerations = List(spec, "tolerations");
        Add(tolerations, new() { ["key"] = "node.kubernetes.io/not-ready", ["operator"] = "Exists", ["effect"] = "NoExecute" });
        Add(tolerations, new() { ["key"] = "node.kubernetes.io/unreachable", ["operator"] = "Exists", ["effect"] = "NoExecute" });
        if (job.Spec.Pod.AcceleratorResource is { Length: > 0 } resource) Add(tolerations, new() { ["key"] = resource, ["operator"] = "Exists", ["effect"] = "NoSchedule" });
    }

    private static void OnePodANode(OptTrainingJob job, JsonObject antiAffinity) => Add(List(antiAffinity, "requiredDuringSchedulingIgnoredDuringExecution"), new()
    {
        ["labelSelector"] = new JsonObject { ["matchLabels"] = new JsonObject { [Names.JobLabel] = job.Metadata.Name } },
        ["topologyKey"] = Hostname,
    });

    /// <summary>Terms are alternatives, so each must carry the rule.</summary>
    private static void NoQuarantinedNode(JsonObject required)
    {
        var terms = List(required, "nodeSelectorTerms");
        if (terms.Count == 0) terms.Add((JsonNode)new JsonObject());
        foreach (var term in terms.OfType<JsonObject>()) Add(List(term, "matchExpressions"), new() { ["key"] = Names.QuarantinedLabel, ["operator"] = "DoesNotExist" });
    }

    private static JsonObject Child(JsonObject parent, string name)
    {
        if (parent[name] is null) parent[name] = new JsonObject();
        return parent[name] as JsonObject ?? throw new PodTemplateException($"spec.pod.template: {name} must be an object, not {parent[name]!.ToJsonString()}");
    }

    private static JsonArray List(JsonObject parent, string name)
    {
        if (parent[name] is null) parent[name] = new JsonArray();
        return parent[name] as JsonArray ?? throw new PodTemplateException($"spec.pod.template: {name} must be a list, not {parent[name]!.ToJsonString()}");
    }

    private static void Add(JsonArray list, JsonObject item)
    {
        if (!list.Any(i => JsonNode.DeepEquals(i, item))) list.Add((JsonNode)item);
    }
}

/// <summary>The user's template cannot be merged; the message names the field.</summary>
internal sealed class PodTemplateException(string message) : Exception(message);
