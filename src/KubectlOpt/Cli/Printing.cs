using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api;

namespace Opt.KubectlOpt.Cli;

/// <summary>Objects as JSON and YAML, the way kubectl prints them.</summary>
internal static class Printing
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, IndentSize = 4, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Print(this Terminal terminal, string? format, JsonNode value, Func<string> text) => terminal.Out.Write(format switch
    {
        "json" => value.ToJsonString(Indented) + "\n",
        "yaml" => YamlWriter.Write(value),
        _ => text(),
    });

    public static JsonObject List(IEnumerable<JsonNode> items) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "List",
        ["items"] = new JsonArray([.. items.Select(i => i.DeepClone())]),
    };
}
