using System.Text.Json.Nodes;

namespace Opt.Api.Schema;

/// <summary>
/// What the CRD says in CEL. Transition rules stand on the parent object and compare presence too: a rule on the field itself is not
/// evaluated when the field is removed, so removing and then adding it again would get around it.
/// </summary>
internal static class CelRules
{
    /// <summary>StatefulSet pods carry labels of at most 63 characters: "NAME-ordinal" and "NAME-" + 10 characters of revision.</summary>
    public const int MaxNameLength = 50;

    private static readonly (string Parent, string[] Fields)[] Immutable =
    [
        ("model", ["preset", "layers", "hiddenSize", "heads", "ffnSize", "vocabSize", "maxPositions"]),
        ("topology", ["acceleratorsPerNode", "tensorParallel"]),
        ("data", ["order"]),
        ("training", ["sequenceLength", "precision", "seed"]),
    ];

    private static readonly (string Parent, string Rule, string Message)[] Across =
    [
        ("model", "has(self.preset) != (has(self.layers) && has(self.hiddenSize) && has(self.heads))", "give either preset, or layers, hiddenSize and heads"),
        ("model", "!has(self.preset) || !(has(self.layers) || has(self.hiddenSize) || has(self.heads) || has(self.ffnSize) || has(self.vocabSize) || has(self.maxPositions))",
            "a preset fixes the sizes: remove layers, hiddenSize, heads, ffnSize, vocabSize and maxPositions, or remove preset"),
        ("model", "!has(self.hiddenSize) || !has(self.heads) || self.hiddenSize % self.heads == 0", "heads must divide hiddenSize"),
        ("topology", "!has(self.minNodes) || self.minNodes <= self.nodes", "minNodes must be at most nodes"),
        ("topology", "!has(self.tensorParallel) || self.acceleratorsPerNode % self.tensorParallel == 0", "tensorParallel must divide acceleratorsPerNode"),
        ("training", "!has(self.batchTokens) || !has(self.sequenceLength) || self.batchTokens % self.sequenceLength == 0", "batchTokens must be a multiple of sequenceLength"),
        ("training.learningRate.warmup", "has(self.steps) != has(self.tokens)", "give exactly one of steps and tokens"),
        ("training.learningRate.decay", "!(has(self.steps) && has(self.tokens))", "give at most one of steps and tokens"),
        ("checkpoint.store", "has(self.azureBlob) != has(self.directory)", "give exactly one of azureBlob and directory"),
        ("", "has(self.model.preset) || (has(self.training) && has(self.training.batchTokens) && has(self.training.learningRate) && has(self.training.learningRate.peak))",
            "custom model sizes need training.batchTokens and training.learningRate.peak"),
    ];

    public static void Attach(JsonObject spec)
    {
        foreach (var (parent, fields) in Immutable)
        {
            foreach (var field in fields) Add(At(spec, parent), Unchanged(field), $"{field} is immutable");
        }

        foreach (var (parent, rule, message) in Across) Add(At(spec, parent), rule, message);
        DivergenceCelRules.Attach(At(spec, "divergencePolicies")["items"]!.AsObject());
    }

    public static JsonArray Root() => new(
        Rule($"size(self.metadata.name) <= {MaxNameLength}", $"metadata.name must be at most {MaxNameLength} characters: names of pods and plans are made from it"),
        Rule("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')", "metadata.name must start with a letter and hold only lower-case letters, digits and '-': a Service gets that name"));

    private static string Unchanged(string field) => $"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})";

    private static JsonObject At(JsonObject spec, string path)
    {
        var schema = spec;
        foreach (var name in path.Split('.', StringSplitOptions.RemoveEmptyEntries)) schema = schema["properties"]![name]!.AsObject();
        return schema;
    }

    internal static void Add(JsonObject schema, string rule, string message)
    {
        if (schema["x-kubernetes-validations"] is not JsonArray rules) schema["x-kubernetes-validations"] = rules = [];
        rules.Add((JsonNode)Rule(rule, message));
    }

    internal static JsonObject Rule(string rule, string message) => new() { ["rule"] = rule, ["message"] = message };
}
