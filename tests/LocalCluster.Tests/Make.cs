using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Tests;

/// <summary>Objects for tables, as short as they can be written.</summary>
internal static class Make
{
    public static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static JsonObject Json(string text) => (JsonObject)JsonNode.Parse(text)!;

    public static JsonObject Node(string name, int accelerators = 8, string taints = "[]", bool cordoned = false, string labels = "")
    {
        var node = Json($$$"""
            {"apiVersion":"v1","kind":"Node","metadata":{"name":"{{{name}}}","uid":"uid-{{{name}}}","labels":{"kubernetes.io/hostname":"{{{name}}}"}},
             "spec":{"taints":{{{taints}}}},
             "status":{"allocatable":{"cpu":"96","memory":"900Gi","pods":"110","nvidia.com/gpu":"{{{accelerators}}}"},"conditions":[{"type":"Ready","status":"True"}]}}
            """);
        if (cordoned) node["spec"]!["unschedulable"] = true;
        foreach (var label in labels.Split(',', StringSplitOptions.RemoveEmptyEntries)) node["metadata"]!["labels"]![label.Split('=')[0]] = label.Split('=')[1];
        return node;
    }

    public static JsonObject Pod(string name, string app = "web", int accelerators = 0, string extra = "{}")
    {
        var pod = Json($$$"""
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"{{{name}}}","namespace":"t","uid":"uid-{{{name}}}","labels":{"app":"{{{app}}}"}},
             "spec":{"containers":[{"name":"c","image":"i"}]},"status":{"phase":"Pending"}}
            """);
        if (accelerators > 0) pod["spec"]!["containers"]![0]!["resources"] = Json($$$"""{"requests":{"nvidia.com/gpu":"{{{accelerators}}}"}}""");
        foreach (var field in Json(extra)) pod["spec"]![field.Key] = field.Value?.DeepClone();
        return pod;
    }

    public static JsonObject With(this JsonObject o, string path, JsonNode? value)
    {
        var steps = path.Split('.');
        var at = o;
        foreach (var step in steps[..^1])
        {
            if (at[step] is not JsonObject next) at[step] = next = [];
            at = next;
        }

        at[steps[^1]] = value;
        return o;
    }

    public static JsonObject Running(this JsonObject pod, bool ready = true) => pod
        .With("status.phase", "Running")
        .With("status.conditions", new JsonArray(Json($$$"""{"type":"Ready","status":"{{{(ready ? "True" : "False")}}}","lastTransitionTime":"2026-01-01T00:00:00Z"}""")));

    public static JsonObject Terminating(this JsonObject o) => o.With("metadata.deletionTimestamp", "2026-01-01T00:00:00Z");
}
