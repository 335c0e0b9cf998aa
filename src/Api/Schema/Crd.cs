using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;

namespace Opt.Api.Schema;

/// <summary>The CustomResourceDefinitions.</summary>
public static class Crd
{
    /// <inheritdoc cref="JobSchema.Build"/>
    public static JsonObject OptTrainingJobs(Func<string, string?> documentation) =>
        Define(OptTrainingJob.KindName, OptTrainingJob.Plural, "opttrainingjob", "otj", ["all"], JobColumns(), JobSchema.Build(documentation));

    /// <inheritdoc cref="JobSchema.Build"/>
    public static JsonObject OptCheckpoints(Func<string, string?> documentation) =>
        Define(OptCheckpoint.KindName, OptCheckpoint.Plural, "optcheckpoint", "optckpt", [], CheckpointColumns(), CheckpointSchema.Build(documentation));

    private static JsonObject Define(string kind, string plural, string singular, string shortName, string[] categories, JsonArray columns, JsonObject schema) => new()
    {
        ["apiVersion"] = "apiextensions.k8s.io/v1",
        ["kind"] = "CustomResourceDefinition",
        ["metadata"] = new JsonObject { ["name"] = $"{plural}.{OptTrainingJob.Group}" },
        ["spec"] = new JsonObject
        {
            ["group"] = OptTrainingJob.Group,
            ["scope"] = "Namespaced",
            ["names"] = Names(kind, plural, singular, shortName, categories),
            ["versions"] = new JsonArray(new JsonObject
            {
                ["name"] = OptTrainingJob.Version,
                ["served"] = true,
                ["storage"] = true,
                ["subresources"] = new JsonObject { ["status"] = new JsonObject() },
                ["additionalPrinterColumns"] = columns,
                ["schema"] = new JsonObject { ["openAPIV3Schema"] = schema },
            }),
        },
    };

    private static JsonObject Names(string kind, string plural, string singular, string shortName, string[] categories)
    {
        var names = new JsonObject { ["kind"] = kind, ["listKind"] = $"{kind}List", ["plural"] = plural, ["singular"] = singular, ["shortNames"] = new JsonArray(shortName) };
        if (categories.Length > 0) names["categories"] = new JsonArray([.. categories.Select(c => JsonValue.Create(c))]);
        return names;
    }

    private static JsonArray JobColumns() =>
    [
        Column("Phase", "string", ".status.phase"),
        Column("Step", "integer", ".status.step"),
        Column("Loss", "number", ".status.loss"),
        Column("Tokens/s", "number", ".status.tokensPerSecond"),
        Column("Nodes", "integer", ".status.nodes.ready"),
        Column("Epoch", "integer", ".status.epoch"),
        Column("Restarts", "integer", ".status.restarts.total"),
        Column("Checkpoint", "integer", ".status.lastCheckpoint.step"),
        Column("Age", "date", ".metadata.creationTimestamp"),
        Column("Of", "integer", ".status.totalSteps", wide: true),
        Column("LR", "number", ".status.learningRate", wide: true),
        Column("Desired", "integer", ".status.nodes.desired", wide: true),
        Column("Spares", "integer", ".status.nodes.sparesReady", wide: true),
    ];

    private static JsonArray CheckpointColumns() =>
    [
        Column("Job", "string", ".status.job"),
        Column("Step", "integer", ".status.step"),
        Column("Tokens", "integer", ".status.tokens"),
        Column("Epoch", "integer", ".status.epoch"),
        Column("Size", "string", ".status.size"),
        Column("Verdict", "string", ".status.verdict"),
        Column("Pinned", "boolean", ".status.pinned"),
        Column("Age", "date", ".status.committedAt"),
        Column("Tiers", "string", ".status.tiers", wide: true),
        Column("Reason", "string", ".status.reason", wide: true),
        Column("Waiting", "string", ".status.waiting", wide: true),
    ];

    private static JsonObject Column(string name, string type, string path, bool wide = false)
    {
        var column = new JsonObject { ["name"] = name, ["type"] = type, ["jsonPath"] = path };
        if (wide) column["priority"] = 1;
        return column;
    }
}
