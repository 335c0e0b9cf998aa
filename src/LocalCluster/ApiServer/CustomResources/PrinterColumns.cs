using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Tables;

namespace Opt.LocalCluster.ApiServer.CustomResources;

/// <summary>A CRD's additionalPrinterColumns.</summary>
internal static class PrinterColumns
{
    private static readonly Column Name = new("Name", (o, _) => o.Name(), Format: "name", Description: Column.NameText);

    public static IReadOnlyList<Column> Read(JsonObject version)
    {
        var columns = version.Items("additionalPrinterColumns").Select(One).ToArray();
        return columns.Length > 0 ? [Name, .. columns] : [Name, new("Age", (o, now) => HumanDuration.Since(o.At("metadata", "creationTimestamp"), now), Type: "date", Description: Column.AgeText)];
    }

    private static Column One(JsonObject column)
    {
        var (text, type) = (column.Str("jsonPath") ?? "", column.Str("type") ?? "string");
        var path = JsonPath.Parse(text);
        var description = column.Str("description") is { Length: > 0 } given ? given : $"Custom resource definition column (in JSONPath format): {text}";
        return new Column(column.Str("name") ?? "", (item, now) => Cell(path, type, item, now), (int)(column["priority"].Long() ?? 0), type, column.Str("format") ?? "", description);
    }

    private static JsonNode? Cell(JsonPath path, string type, JsonObject item, DateTimeOffset now)
    {
        var value = path.Find(item).FirstOrDefault();
        if (value is null) return null;
        return type switch
        {
            "integer" when value.Long() is { } whole => whole,
            "number" when value.Double() is { } number => number,
            "boolean" when value.Bool() is { } flag => flag,
            "string" => value.Plain(),
            "date" => HumanDuration.Since(value, now) is var age && age != "<unknown>" ? age : "<invalid>",
            _ => null,
        };
    }
}
