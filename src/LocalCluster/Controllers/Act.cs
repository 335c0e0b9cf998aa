using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;

namespace Opt.LocalCluster.Controllers;

/// <summary>What a controller decided to do: data, so that decisions are tested without a server.</summary>
internal abstract record Act
{
    /// <summary>Creates an object; one that exists already under its name is left alone and counts as done.</summary>
    public sealed record Create(ResourceId Resource, JsonObject Body, Announcement? Said = null) : Act;

    /// <summary>Deletes the object observed, by its uid; one that is gone already counts as done.</summary>
    public sealed record Delete(ResourceId Resource, JsonObject Target, Announcement? Said = null, bool Force = false, string? Propagation = null) : Act;

    /// <summary>Replaces an object, or a subresource of it, at the resourceVersion observed.</summary>
    public sealed record Replace(ResourceId Resource, JsonObject Body, string? Subresource = null, Announcement? Said = null) : Act;

    /// <summary>Patches an object or a subresource without a version precondition; one that is gone counts as done.</summary>
    public sealed record Patch(ResourceId Resource, JsonObject Target, PatchKind Kind, JsonNode Body, string? Subresource = null) : Act;

    /// <summary>Records an event.</summary>
    public sealed record Announce(Announcement Said) : Act;

    public static Act ReplaceStatus(ResourceId resource, JsonObject observed, JsonObject status)
    {
        var body = (JsonObject)observed.DeepClone();
        body["status"] = status;
        return new Replace(resource, body, "status");
    }
}
