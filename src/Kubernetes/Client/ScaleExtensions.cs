using System.Text.Json;
using System.Text.Json.Nodes;

namespace Opt.Kubernetes;

/// <summary>The scale subresource, for resources that have one.</summary>
public static class ScaleExtensions
{
    public static async Task<V1Scale> GetScaleAsync<T>(this ResourceClient<T> resources, ObjectKey key, CancellationToken ct) where T : class
    {
        ArgumentNullException.ThrowIfNull(resources);
        return Read(await resources.ScaleAsync(HttpMethod.Get, key, null, "application/json", ct));
    }

    /// <summary>Sets the number of replicas. With <paramref name="resourceVersion"/>, only if the object still has that version (409 otherwise).</summary>
    public static async Task<V1Scale> SetScaleAsync<T>(this ResourceClient<T> resources, ObjectKey key, int replicas, string? resourceVersion, CancellationToken ct) where T : class
    {
        ArgumentNullException.ThrowIfNull(resources);
        var metadata = resourceVersion is null ? [] : new JsonObject { ["resourceVersion"] = resourceVersion };
        var patch = Patch.Merge(new JsonObject { ["metadata"] = metadata, ["spec"] = new JsonObject { ["replicas"] = replicas } });
        return Read(await resources.ScaleAsync(HttpMethod.Patch, key, patch.ToBytes(), patch.ContentType, ct));
    }

    private static V1Scale Read(ApiResponse response) =>
        JsonSerializer.Deserialize(response.Body.Span, KubernetesJson.Default.V1Scale) ?? throw new JsonException("The server sent null instead of a Scale.");
}
