using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Apply;

/// <summary>Keeps the books of who owns which field.</summary>
public static class ManagedFields
{
    public static void Strip(JsonObject item, WriteRequest request) => item.Metadata().Remove("managedFields");

    public static void RecordUpdate(ResourceKind kind, JsonObject? old, JsonObject item, string manager, string? subresource, TimeProvider clock)
    {
    }

    public static bool SameButForTimes(JsonObject a, JsonObject b) => a.SameAs(b);
}
