using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;

namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>What is served: groups, versions, resources, in the old form and in the aggregated one.</summary>
internal sealed class Discovery(KindRegistry kinds, Func<string> address)
{
    private const string Aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

    public bool Serves(string group, string version) => kinds.All.Any(k => k.Group == group && k.Version == version);

    /// <summary>The discovery document at a path, or null when there is none.</summary>
    public (byte[] Body, string ContentType)? Document(string path, HttpRequest request)
    {
        var aggregated = path is "/api" or "/apis" or "/api/" or "/apis/" && Negotiated.For(request.Headers.Accept, null, null).Form == Form.Discovery;
        if (aggregated) return (JsonText.ToUtf8(AggregatedList(legacy: path.TrimEnd('/') == "/api")), Aggregated);
        JsonObject? body = path.Trim('/').Split('/') switch
        {
            ["api"] => Versions(),
            ["apis"] => Groups(),
            ["api", "v1"] => Resources("", "v1"),
            ["apis", var group] when kinds.All.Any(k => k.Group == group) => new JsonObject { ["kind"] = "APIGroup", ["apiVersion"] = "v1" }.Merge(Group(group)),
            ["apis", var group, var version] when Serves(group, version) => Resources(group, version),
            _ => null,
        };
        return body is null ? null : (JsonText.ToUtf8(body), "application/json");
    }

    private JsonObject Versions() => new()
    {
        ["kind"] = "APIVersions",
        ["versions"] = new JsonArray("v1"),
        ["serverAddressByClientCIDRs"] = new JsonArray(new JsonObject { ["clientCIDR"] = "0.0.0.0/0", ["serverAddress"] = address() }),
    };

    private JsonObject Groups() => new()
    {
        ["kind"] = "APIGroupList",
        ["apiVersion"] = "v1",
        ["groups"] = new JsonArray([.. GroupNames().Select(Group)]),
    };

    private IEnumerable<string> GroupNames() => kinds.All.Select(k => k.Group).Where(g => g.Length > 0).Distinct();

    private IEnumerable<string> VersionsOf(string group) =>
        kinds.All.Where(k => k.Group == group).Select(k => k.Version).Distinct().Order(VersionPriority.Instance);

    private JsonObject Group(string group)
    {
        var versions = VersionsOf(group).Select(v => new JsonObject { ["groupVersion"] = $"{group}/{v}", ["version"] = v }).ToArray();
        return new JsonObject { ["name"] = group, ["versions"] = new JsonArray([.. versions]), ["preferredVersion"] = versions[0].DeepClone() };
    }

    private JsonObject Resources(string group, string version)
    {
        var resources = new JsonArray();
        foreach (var kind in kinds.All.Where(k => k.Group == group && k.Version == version))
        {
            resources.Add(Resource(kind));
            foreach (var sub in kind.Subresources) resources.Add(Resource(kind, sub));
        }

        var list = new JsonObject { ["kind"] = "APIResourceList" };
        if (group.Length > 0) list["apiVersion"] = "v1";
        list["groupVersion"] = group.Length == 0 ? version : $"{group}/{version}";
        list["resources"] = resources;
        return list;
    }

    private static JsonObject Resource(ResourceKind kind)
    {
        var entry = new JsonObject
        {
            ["name"] = kind.Plural,
            ["singularName"] = kind.Singular,
            ["namespaced"] = kind.Namespaced,
            ["kind"] = kind.Kind,
            ["verbs"] = Strings(kind.Verbs),
        };
        if (kind.ShortNames.Count > 0) entry["shortNames"] = Strings(kind.ShortNames);
        if (kind.Categories.Count > 0) entry["categories"] = Strings(kind.Categories);
        if (kind.StorageVersionHash is { } hash) entry["storageVersionHash"] = hash;
        return entry;
    }

    private static JsonObject Resource(ResourceKind kind, Subresource sub)
    {
        var entry = new JsonObject { ["name"] = $"{kind.Plural}/{sub.Name}", ["singularName"] = "", ["namespaced"] = kind.Namespaced };
        if (sub.Version.Length > 0)
        {
            entry["group"] = sub.Group;
            entry["version"] = sub.Version;
        }

        entry["kind"] = sub.Kind;
        entry["verbs"] = Strings(sub.Verbs);
        return entry;
    }

    private JsonObject AggregatedList(bool legacy)
    {
        var groups = legacy ? [""] : GroupNames();
        return new JsonObject
        {
            ["kind"] = "APIGroupDiscoveryList",
            ["apiVersion"] = "apidiscovery.k8s.io/v2",
            ["metadata"] = new JsonObject(),
            ["items"] = new JsonArray([.. groups.Select(AggregatedGroup)]),
        };
    }

    private JsonObject AggregatedGroup(string group)
    {
        var versions = VersionsOf(group).Select(v => new JsonObject
        {
            ["version"] = v,
            ["resources"] = new JsonArray([.. kinds.All.Where(k => k.Group == group && k.Version == v).Select(AggregatedResource)]),
            ["freshness"] = "Current",
        });
        var meta = new JsonObject();
        if (group.Length > 0) meta["name"] = group;
        return new JsonObject { ["metadata"] = meta, ["versions"] = new JsonArray([.. versions]) };
    }

    private static JsonObject AggregatedResource(ResourceKind kind)
    {
        var entry = new JsonObject
        {
            ["resource"] = kind.Plural,
            ["responseKind"] = ResponseKind(kind, kind.Kind, null),
            ["scope"] = kind.Namespaced ? "Namespaced" : "Cluster",
            ["singularResource"] = kind.Singular,
            ["verbs"] = Strings(kind.Verbs),
        };
        if (kind.ShortNames.Count > 0) entry["shortNames"] = Strings(kind.ShortNames);
        if (kind.Categories.Count > 0) entry["categories"] = Strings(kind.Categories);
        if (kind.Subresources.Count == 0) return entry;
        entry["subresources"] = new JsonArray([.. kind.Subresources.Select(s => new JsonObject
        {
            ["subresource"] = s.Name,
            ["responseKind"] = ResponseKind(kind, s.Kind, s),
            ["verbs"] = Strings(s.Verbs),
        })]);
        return entry;
    }

    // Built-in kinds leave group and version empty where they are the parent's; CRDs spell them out.
    private static JsonObject ResponseKind(ResourceKind kind, string name, Subresource? sub) => new()
    {
        ["group"] = sub is { Version.Length: > 0 } ? sub.Group : kind.Custom ? kind.Group : "",
        ["version"] = sub is { Version.Length: > 0 } ? sub.Version : kind.Custom ? kind.Version : "",
        ["kind"] = name,
    };

    private static JsonArray Strings(IEnumerable<string> texts) => new([.. texts.Select(t => JsonValue.Create(t))]);
}
