using System.Text.Json.Nodes;

namespace Opt.LocalCluster.ApiServer;

/// <summary>
/// In-process access to the API server, with exactly the semantics of its HTTP face: defaulting, validation, admission, conflicts,
/// preconditions, finalizers, field ownership. Controllers, scheduler and kubelets of the local cluster use it; it does not skip a rule.
/// Objects that come out are the caller's own copies. Refusals are <see cref="ApiException"/> with the server's status object.
/// </summary>
public interface IClusterApi
{
    Task<JsonObject> GetAsync(ResourceId resource, string? @namespace, string name, CancellationToken ct);

    /// <summary>Lists <paramref name="namespace"/>, or all namespaces when null. The result is a Kubernetes list object with its resourceVersion.</summary>
    Task<JsonObject> ListAsync(ResourceId resource, string? @namespace, ListQuery query, CancellationToken ct);

    Task<JsonObject> CreateAsync(ResourceId resource, string? @namespace, JsonObject body, Caller caller, CancellationToken ct, string? name = null, string? subresource = null);

    Task<JsonObject> UpdateAsync(ResourceId resource, string? @namespace, string name, JsonObject body, Caller caller, CancellationToken ct, string? subresource = null);

    Task<JsonObject> PatchAsync(ResourceId resource, string? @namespace, string name, PatchKind kind, JsonNode patch, Caller caller, CancellationToken ct, string? subresource = null, bool force = false);

    Task<JsonObject> DeleteAsync(ResourceId resource, string? @namespace, string name, JsonObject? deleteOptions, Caller caller, CancellationToken ct);

    /// <summary>Events after <paramref name="resourceVersion"/>; ends with 410 Gone when that version is compacted. Null starts with the current state as ADDED events.</summary>
    IAsyncEnumerable<WatchEvent> WatchAsync(ResourceId resource, string? @namespace, string? resourceVersion, ListQuery query, CancellationToken ct);
}

/// <summary>A resource as the URL names it: group (empty for core), version and plural.</summary>
public readonly record struct ResourceId(string Group, string Version, string Plural)
{
    public static readonly ResourceId Pods = new("", "v1", "pods");
    public static readonly ResourceId Nodes = new("", "v1", "nodes");
    public static readonly ResourceId StatefulSets = new("apps", "v1", "statefulsets");
}

/// <summary>Who writes: the authenticated user and the field manager recorded in managedFields.</summary>
public sealed record Caller(string User, string FieldManager, IReadOnlyList<string> Groups)
{
    public string Uid { get; init; } = "";

    /// <summary>What authentication adds, for webhooks and reviews.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Extra { get; init; } = new Dictionary<string, IReadOnlyList<string>>();
}

/// <summary>Selectors in their string forms; null means all.</summary>
public sealed record ListQuery(string? LabelSelector = null, string? FieldSelector = null)
{
    public static readonly ListQuery All = new();
}

/// <summary>One watch event: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.</summary>
public sealed record WatchEvent(string Type, JsonObject Object);

/// <summary>The content types of PATCH.</summary>
public enum PatchKind { Json, Merge, StrategicMerge, Apply }

/// <summary>A refusal, carrying the Kubernetes <c>Status</c> object that HTTP would have answered.</summary>
public sealed class ApiException(int code, JsonObject status) : Exception((string?)status["message"] ?? $"status {code}")
{
    public int Code { get; } = code;
    public JsonObject Status { get; } = status;
    public string Reason => (string?)Status["reason"] ?? "";
}
