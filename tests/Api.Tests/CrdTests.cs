using System.Text.Json.Nodes;
using System.Xml.Linq;
using Opt.Api.Schema;
using Opt.Testing;
using Xunit;

namespace Opt.Api.Tests;

public sealed class CrdTests
{
    private static readonly Func<string, string?> Documentation = new XmlDocumentation(XDocument.Load(Path.Combine(AppContext.BaseDirectory, "Opt.Api.xml"))).Summary;
    private static readonly Dictionary<string, JsonObject> Crds = new() { ["opttrainingjobs"] = Crd.OptTrainingJobs(Documentation), ["optcheckpoints"] = Crd.OptCheckpoints(Documentation) };

    public static TheoryData<string> Names => [.. Crds.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_checked_in_CRD_is_what_the_types_say(string name) => Golden.Matches($"../../crds/{name}.yaml", YamlWriter.Write(Crds[name]));

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_field_has_a_description_for_kubectl_explain(string name)
    {
        var bare = Fields(RootOf(name), "").Where(f => f.Schema["description"] is null && f.Path is not (".apiVersion" or ".kind" or ".metadata")).Select(f => f.Path);
        Assert.Empty(bare);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_string_and_list_is_bounded(string name)
    {
        var unbounded = Fields(RootOf(name), "").Where(f => f.Path is not (".apiVersion" or ".kind") && (string?)f.Schema["type"] switch
        {
            "string" => f.Schema["maxLength"] is null && f.Schema["enum"] is null && f.Schema["format"] is null,
            "array" => f.Schema["maxItems"] is null,
            _ => false,
        }).Select(f => f.Path);
        Assert.Empty(unbounded);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_CRD_stays_under_256_KiB(string name) => Assert.InRange(YamlWriter.Write(Crds[name]).Length, 1, 256 * 1024);

    [Theory]
    [MemberData(nameof(Names))]
    public void The_written_YAML_reads_back_as_the_same_object(string name) => Assert.True(JsonNode.DeepEquals(Yaml.Parse(YamlWriter.Write(Crds[name]))[0], JsonNode.Parse(Crds[name].ToJsonString())));

    [Fact]
    public void Constant_defaults_are_those_of_the_records()
    {
        var root = RootOf("opttrainingjobs");
        Assert.Equal(8, (int)root["properties"]!["spec"]!["properties"]!["topology"]!["properties"]!["acceleratorsPerNode"]!["default"]!);
        Assert.Equal("30m", (string?)root["properties"]!["spec"]!["properties"]!["failurePolicy"]!["properties"]!["relaunchInPlace"]!["default"]!["window"]);
        Assert.Null(root["properties"]!["spec"]!["properties"]!["training"]!["properties"]!["gradientClip"]!["default"]);
    }

    private static JsonObject RootOf(string name) => Crds[name]["spec"]!["versions"]![0]!["schema"]!["openAPIV3Schema"]!.AsObject();

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
