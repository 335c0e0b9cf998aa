using System.Text;
using System.Text.Json.Nodes;
using Opt.Api;
using Xunit;

namespace Opt.Layout;

/// <summary>docs/api.md is written from the definitions in crds/, which are written from the types.</summary>
public sealed class ApiReferenceTests
{
    [Theory]
    [InlineData("opttrainingjobs", "spec", "spec")]
    [InlineData("opttrainingjobs", "status", "status")]
    [InlineData("optcheckpoints", "spec", "checkpoint spec")]
    [InlineData("optcheckpoints", "status", "checkpoint status")]
    public void The_reference_says_what_the_types_say(string resource, string part, string section) => GeneratedSection.Matches("docs/api.md", section, Render(SchemaOf(resource), part));

    [Theory]
    [InlineData("opttrainingjobs")]
    [InlineData("optcheckpoints")]
    public void Every_field_is_described(string resource) =>
        Assert.Empty(new[] { "spec", "status" }.SelectMany(part => Fields(SchemaOf(resource)[part]!.AsObject(), part)).Where(f => f.Schema["description"] is null).Select(f => f.Path));

    private static JsonObject SchemaOf(string resource) =>
        Yaml.Parse(RepoFiles.Read($"crds/{resource}.yaml"))[0]["spec"]!["versions"]![0]!["schema"]!["openAPIV3Schema"]!["properties"]!.AsObject();

    private static string Render(JsonObject schemas, string part)
    {
        var text = new StringBuilder("| Field | Type | Default | Meaning |\n|---|---|---|---|\n");
        foreach (var (path, schema, required) in Fields(schemas[part]!.AsObject(), part))
        {
            var meaning = ((string?)schema["description"] ?? "").Replace("|", "\\|", StringComparison.Ordinal);
            text.Append($"| `{path}` | {Type(schema)} | {(required ? "required" : schema["default"] is { } value ? $"`{value.ToJsonString()}`" : "")} | {meaning}{Limits(schema)} |\n");
        }

        return text.ToString();
    }

    private static IEnumerable<(string Path, JsonObject Schema, bool Required)> Fields(JsonObject parent, string prefix)
    {
        var required = (parent["required"] as JsonArray ?? []).Select(r => (string)r!).ToHashSet();
        foreach (var (name, node) in parent["properties"] as JsonObject ?? [])
        {
            var schema = node!.AsObject();
            yield return ($"{prefix}.{name}", schema, required.Contains(name));
            foreach (var inner in Fields(schema, $"{prefix}.{name}")) yield return inner;
            if (schema["items"] is JsonObject items) foreach (var inner in Fields(items, $"{prefix}.{name}[]")) yield return inner;
        }
    }

    private static string Type(JsonObject schema) => (string?)schema["type"] switch
    {
        "array" => $"list of {Type(schema["items"]!.AsObject())}",
        "string" when schema["enum"] is JsonArray values => string.Join(", ", values.Select(v => $"`{v}`")),
        null => "any",
        var type => type,
    };

    private static string Limits(JsonObject schema)
    {
        var above = (bool?)schema["exclusiveMinimum"] == true;
        string?[] limits =
        [
            schema["minimum"] is { } least ? $"{(above ? "above" : "at least")} {least.ToJsonString()}" : null,
            schema["maximum"] is { } most ? $"at most {most.ToJsonString()}" : null,
            (string?)schema["type"] is "array" && schema["minItems"] is { } fewest ? $"at least {fewest.ToJsonString()} entries" : null,
        ];
        return limits.OfType<string>().ToArray() is { Length: > 0 } given ? $" ({string.Join(", ", given)})" : "";
    }
}
