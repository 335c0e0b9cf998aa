using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Kinds;

namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>List objects. Items of built-in kinds leave out kind and apiVersion, as a typed server writes them.</summary>
public static class Lists
{
    public static JsonObject ToTree(ResourceKind kind, Page page) =>
        ToTree(kind, page.Items.Select(i => Versions.FromStorage(kind, i)), Metadata(page));

    public static JsonObject ToTree(ResourceKind kind, IEnumerable<JsonObject> items, JsonObject metadata)
    {
        var list = new JsonArray();
        foreach (var item in items)
        {
            if (!kind.Custom)
            {
                item.Remove("kind");
                item.Remove("apiVersion");
            }

            list.Add(item);
        }

        return new JsonObject { ["kind"] = kind.ListKind, ["apiVersion"] = kind.ApiVersion, ["metadata"] = metadata, ["items"] = list };
    }

    public static JsonObject Metadata(Page page)
    {
        var metadata = new JsonObject { ["resourceVersion"] = page.ResourceVersion.ToString(CultureInfo.InvariantCulture) };
        if (page.Continue is { } token) metadata["continue"] = token;
        if (page.Remaining is { } rest) metadata["remainingItemCount"] = rest;
        return metadata;
    }
}
