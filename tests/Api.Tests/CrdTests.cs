using System.Text.Json.Nodes;
using System.Xml.Linq;
using Opt.Api.Schema;
using Opt.Testing;
using Xunit;

namespace Opt.Api.Tests;

public sealed class CrdTests
{
    private static readonly JsonObject Crd = Schema.Crd.OptTrainingJobs(
        new XmlDocumentation(XDocument.Load(Path.Combine(AppContext.BaseDirectory, "Opt.Api.xml"))).Summary);

    private static readonly JsonObject Root = Crd["spec"]!["versions"]![0]!["schema"]!["openAPIV3Schema"]!.AsObject();

    [Fact]
    public void The_checked_in_CRD_is_what_the_types_say() => Golden.Matches("../../crds/opttrainingjobs.yaml", YamlWriter.Write(Crd));

    [Fact]
    public void Every_field_has_a_description_for_kubectl_explain()
    {
        var bare = Fields(Root, "").Where(f => f.Schema["description"] is null && f.Path is not (".apiVersion" or ".kind" or ".metadata")).Select(f => f.Path);
        Assert.Empty(bare);
    }

    [Fact]
    public void Every_string_and_list_is_bounded()
    {
        var unbounded = Fields(Root, "").Where(f => f.Path is not (".apiVersion" or ".kind") && (string?)f.Schema["type"] switch
        {
            "string" => f.Schema["maxLength"] is null && f.Schema["enum"] is null && f.Schema["format"] is null,
            "array" => f.Schema["maxItems"] is null,
            _ => false,
        }).Select(f => f.Path);
        Assert.Empty(unbounded);
    }

    [Fact]
    public void The_CRD_stays_under_256_KiB() => Assert.InRange(YamlWriter.Write(Crd).Length, 1, 256 * 1024);

    [Fact]
    public void The_written_YAML_reads_back_as_the_same_object() => Assert.True(JsonNode.DeepEquals(Yaml.Parse(YamlWriter.Write(Crd))[0], JsonNode.Parse(Crd.ToJsonString())));

    [Fact]
    public void Constant_defaults_are_those_of_the_records()
    {
        Assert.Equal(8, (int)Root["properties"]!["spec"]!["properties"]!["topology"]!["properties"]!["acceleratorsPerNode"]!["default"]!);
        Assert.Equal("30m", (string?)Root["properties"]!["spec"]!["properties"]!["failurePolicy"]!["properties"]!["relaunchInPlace"]!["default"]!["window"]);
        Assert.Null(Root["properties"]!["spec"]!["properties"]!["training"]!["properties"]!["gradientClip"]!["default"]);
    }

    private static IEnumerable<(string Path, JsonObject Schema)> Fields(JsonObject schema, string path)
    {
        foreach (var (name, property) in schema["properties"] as JsonObject ?? [])
        {
            yield return ($"{path}.{name}", property!.AsObject());
            foreach (var field in Fields(property.AsObject(), $"{path}.{name}")) yield return field;
        }

        if (schema["items"] is JsonObject items)
        {
            foreach (var field in Fields(items, $"{path}[]")) yield return field;
        }
    }
}
