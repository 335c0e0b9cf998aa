using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>Objects reduced to their metadata.</summary>
internal static class PartialMetadata
{
    private static readonly StructSchema Meta = TypeCatalog.Struct("meta.ObjectMeta");

    public static JsonObject Of(JsonObject item) => new()
    {
        ["kind"] = "PartialObjectMetadata",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = Canonical.Value(item.Metadata(), Meta),
    };

    public static JsonObject List(Page page, ResourceKind kind) => new()
    {
        ["kind"] = "PartialObjectMetadataList",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = Lists.Metadata(page),
        ["items"] = new JsonArray([.. page.Items.Select(i => Of(Versions.FromStorage(kind, i)))]),
    };
}
