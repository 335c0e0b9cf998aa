using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Http;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Tables;

/// <summary>Renders objects as the table that <c>kubectl get</c> prints.</summary>
public static class TableBuilder
{
    public static JsonObject Build(ResourceKind kind, Page page, string include, DateTimeOffset now) =>
        Build(kind, page.Items.Select(i => Versions.FromStorage(kind, i)), Lists.Metadata(page), include, now);

    /// <param name="include">What each row carries: <c>None</c>, <c>Metadata</c> (also when empty) or <c>Object</c>.</param>
    public static JsonObject Build(ResourceKind kind, IEnumerable<JsonObject> items, JsonObject metadata, string include, DateTimeOffset now)
    {
        if (include is not ("" or "None" or "Metadata" or "Object")) throw ApiErrors.BadRequest($"unrecognized includeObject value: \"{include}\"");
        var columns = kind.Columns ?? BuiltinTables.For(kind);
        return new JsonObject
        {
            ["kind"] = "Table",
            ["apiVersion"] = "meta.k8s.io/v1",
            ["metadata"] = metadata,
            ["columnDefinitions"] = new JsonArray([.. columns.Select(c => c.Definition())]),
            ["rows"] = new JsonArray([.. items.Select(i => Row(columns, i, include, now))]),
        };
    }

    private static JsonObject Row(IReadOnlyList<Column> columns, JsonObject item, string include, DateTimeOffset now)
    {
        var row = new JsonObject
        {
            ["cells"] = new JsonArray([.. columns.Select(c => c.Cell(item, now))]),
        };
        if (include != "None") row["object"] = include == "Object" ? item : PartialMetadata.Of(item);
        return row;
    }
}
