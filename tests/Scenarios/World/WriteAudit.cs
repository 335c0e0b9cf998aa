using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace Opt.Scenarios.World;

/// <summary>
/// Looks at every write of every operator process on the wire: what destroys or overwrites must name the very object it means, by uid or
/// resourceVersion, and a user's spec is never written.
/// </summary>
internal sealed class WriteAudit
{
    private readonly ConcurrentQueue<string> _broken = new();

    /// <summary>Rules that were broken, in words.</summary>
    public IReadOnlyCollection<string> Broken => _broken;

    /// <summary>Writes looked at.</summary>
    public int Writes => _writes;

    private int _writes;

    public async Task CheckAsync(HttpRequestMessage request, CancellationToken ct)
    {
        if (request.Method == HttpMethod.Get) return;
        Interlocked.Increment(ref _writes);
        var path = request.RequestUri!.AbsolutePath;
        var body = request.Content is null ? null : await request.Content.ReadAsStringAsync(ct);
        if (Fault(request.Method, path, body is { Length: > 0 } ? JsonNode.Parse(body) as JsonObject : null) is { } fault) _broken.Enqueue($"{request.Method} {path}: {fault}: {body}");
    }

    private static string? Fault(HttpMethod method, string path, JsonObject? body)
    {
        if (method == HttpMethod.Delete) return body?["preconditions"]?["uid"] is null && body?["preconditions"]?["resourceVersion"] is null ? "a deletion without precondition" : null;
        if (path.Contains("/opttrainingjobs/", StringComparison.Ordinal) && !path.EndsWith("/status", StringComparison.Ordinal)) return "writes a user's job";
        if (path.EndsWith("/status", StringComparison.Ordinal)) return body?["metadata"]?["uid"] is null ? "a status without uid" : null;
        if (method == HttpMethod.Put) return body?["metadata"]?["resourceVersion"] is null ? "a replacement without resourceVersion" : null;
        if (path.Contains("/configmaps/", StringComparison.Ordinal)) return body?["metadata"]?["resourceVersion"] is null ? "a page of a logbook written without resourceVersion" : null;
        if (path.Contains("/nodes/", StringComparison.Ordinal)) return body?["metadata"]?["uid"] is null ? "a node patched without uid" : null;
        var scales = method == HttpMethod.Patch && path.Contains("/statefulsets/", StringComparison.Ordinal) && body?["spec"]?["template"] is null;
        return scales && body?["metadata"]?["resourceVersion"] is null && body?["metadata"]?["uid"] is null ? "a set scaled without precondition" : null;
    }
}
