using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>Carries objects between the version a client speaks and the one they are stored in.</summary>
public static class Versions
{
    public static JsonObject ToStorage(ResourceKind kind, JsonObject item) => kind.Conversion?.ToStorage(item) ?? item;

    public static JsonObject FromStorage(ResourceKind kind, StoredObject stored) => FromStorage(kind, stored.ToTree());

    public static JsonObject FromStorage(ResourceKind kind, JsonObject tree) => kind.Conversion?.FromStorage(tree) ?? tree;
}

/// <summary>How one served version maps to the stored one. Both directions may edit the tree they are given.</summary>
public interface IConversion
{
    JsonObject ToStorage(JsonObject item);

    JsonObject FromStorage(JsonObject stored);
}
