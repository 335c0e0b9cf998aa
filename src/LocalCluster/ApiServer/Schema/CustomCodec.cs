using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>The codec of a custom resource: prunes and defaults by its schema, keeps metadata typed, sorts everything.</summary>
public sealed class CustomCodec(StructuralSchema schema, string apiVersion, string kind) : ICodec
{
    private static readonly StructSchema Meta = TypeCatalog.Struct("meta.ObjectMeta");

    public JsonObject Decode(JsonObject body, DecodeReport? report)
    {
        var item = body.Copy();
        Pruner.Prune(item, schema, report);
        if (item["metadata"] is JsonObject meta && report is not null) ReportMeta(meta, report);
        Pruner.Default(item, schema);
        return Canonicalize(item);
    }

    public JsonObject Canonicalize(JsonObject item)
    {
        if (item["metadata"] is not null) item["metadata"] = Canonical.Value(item["metadata"], Meta);
        item["apiVersion"] = apiVersion;
        item["kind"] = kind;
        return (JsonObject)Canonical.Sorted(item)!;
    }

    private static void ReportMeta(JsonObject meta, DecodeReport report)
    {
        foreach (var (name, _) in meta)
        {
            if (Meta.Field(name) is null) report.Unknown($"metadata.{name}");
        }
    }
}
