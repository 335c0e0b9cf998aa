using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;

namespace Opt.Api.Schema;

/// <summary>The CustomResourceDefinition of <see cref="OptTrainingJob"/>.</summary>
public static class Crd
{
    /// <inheritdoc cref="JobSchema.Build"/>
    public static JsonObject OptTrainingJobs(Func<string, string?> documentation) => new()
    {
        ["apiVersion"] = "apiextensions.k8s.io/v1",
        ["kind"] = "CustomResourceDefinition",
        ["metadata"] = new JsonObject { ["name"] = $"{OptTrainingJob.Plural}.{OptTrainingJob.Group}" },
        ["spec"] = new JsonObject
        {
            ["group"] = OptTrainingJob.Group,
            ["scope"] = "Namespaced",
            ["names"] = new JsonObject
            {
                ["kind"] = OptTrainingJob.KindName,
                ["listKind"] = $"{OptTrainingJob.KindName}List",
                ["plural"] = OptTrainingJob.Plural,
                ["singular"] = "opttrainingjob",
                ["shortNames"] = new JsonArray("otj"),
                ["categories"] = new JsonArray("all"),
            },
            ["versions"] = new JsonArray(new JsonObject
            {
                ["name"] = OptTrainingJob.Version,
                ["served"] = true,
                ["storage"] = true,
                ["subresources"] = new JsonObject { ["status"] = new JsonObject() },
                ["additionalPrinterColumns"] = Columns(),
                ["schema"] = new JsonObject { ["openAPIV3Schema"] = JobSchema.Build(documentation) },
            }),
        },
    };

    private static JsonArray Columns() =>
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

    private static JsonObject Column(string name, string type, string path, bool wide = false)
    {
        var column = new JsonObject { ["name"] = name, ["type"] = type, ["jsonPath"] = path };
        if (wide) column["priority"] = 1;
        return column;
    }
}
