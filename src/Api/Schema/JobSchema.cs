using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;

namespace Opt.Api.Schema;

/// <summary>The schema of the whole custom resource, with its CEL rules.</summary>
public static class JobSchema
{
    // Required fields only; what the serializer adds to it are the constant defaults.
    private const string MinimalSpec = """
        {"model": {}, "topology": {"nodes": 1}, "pod": {"image": "x"}, "data": {"train": []}, "checkpoint": {"store": {"azureBlob": {"account": "x", "container": "x"}}},
         "training": {"learningRate": {"decay": {}}}}
        """;

    /// <param name="documentation">Summary of a documentation id ("T:..." or "P:..."), or null.</param>
    public static JsonObject Build(Func<string, string?> documentation)
    {
        var builder = new SchemaBuilder(documentation);
        var spec = builder.Object(SpecJson.Default.OptTrainingJobSpec, Defaults());
        // A decay that is absent must stay absent: only its finalRatio has a constant default.
        spec["properties"]!["training"]!["properties"]!["learningRate"]!["properties"]!["decay"]!.AsObject().Remove("default");
        spec["properties"]!["checkpoint"]!["properties"]!["store"]!["properties"]!["azureBlob"]!.AsObject().Remove("default");
        Describe(spec, documentation(Id<OptTrainingJobSpec>()));
        var status = builder.Object(SpecJson.Default.OptTrainingJobStatus, defaults: null);
        Describe(status, documentation(Id<OptTrainingJobStatus>()));
        CelRules.Attach(spec);
        var root = new JsonObject { ["type"] = "object", ["required"] = new JsonArray("spec"), ["properties"] = Root(spec, status), ["x-kubernetes-validations"] = CelRules.Root() };
        Describe(root, documentation(Id<OptTrainingJob>()));
        return root;
    }

    /// <summary>Members of every custom resource.</summary>
    internal static JsonObject Root(JsonObject spec, JsonObject status) => new()
    {
        ["apiVersion"] = new JsonObject { ["type"] = "string" },
        ["kind"] = new JsonObject { ["type"] = "string" },
        ["metadata"] = new JsonObject { ["type"] = "object" },
        ["spec"] = spec,
        ["status"] = status,
    };

    private static JsonObject Defaults()
    {
        var minimal = JsonSerializer.Deserialize(MinimalSpec, SpecJson.Default.OptTrainingJobSpec)!;
        return JsonSerializer.SerializeToNode(minimal, SpecJson.Default.OptTrainingJobSpec)!.AsObject();
    }

    internal static void Describe(JsonObject schema, string? description)
    {
        if (description is not null) schema.Insert(0, "description", description);
    }

    internal static string Id<T>() => $"T:{typeof(T).FullName}";
}
