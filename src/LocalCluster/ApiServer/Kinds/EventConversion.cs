using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>events.k8s.io/v1 and core/v1 events are one resource under two sets of field names.</summary>
public sealed class EventConversion : IConversion
{
    private static readonly (string Core, string Events)[] Names =
    [
        ("involvedObject", "regarding"),
        ("message", "note"),
        ("source", "deprecatedSource"),
        ("firstTimestamp", "deprecatedFirstTimestamp"),
        ("lastTimestamp", "deprecatedLastTimestamp"),
        ("count", "deprecatedCount"),
        ("reportingComponent", "reportingController"),
    ];

    public JsonObject ToStorage(JsonObject item) => Rename(item, "v1", Names.ToDictionary(n => n.Events, n => n.Core));

    public JsonObject FromStorage(JsonObject stored) => Rename(stored, "events.k8s.io/v1", Names.ToDictionary(n => n.Core, n => n.Events));

    private static JsonObject Rename(JsonObject item, string apiVersion, Dictionary<string, string> names)
    {
        var result = new JsonObject();
        foreach (var (name, value) in item) result[names.GetValueOrDefault(name, name)] = value?.DeepClone();
        result["apiVersion"] = apiVersion;
        return Schema.Canonical.Object(result, Schema.TypeCatalog.Struct(apiVersion == "v1" ? "core.Event" : "events.Event"));
    }
}
