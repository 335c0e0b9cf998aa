using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Runtime;

/// <summary>Writes core/v1 events as one component; the same event again raises the count of the one there is.</summary>
internal sealed class EventRecorder(IClusterApi api, Caller caller, string component, string? host, TimeProvider clock)
{
    private const int Remembered = 4096;
    private readonly ConcurrentDictionary<(string Uid, string Reason, string Message), (string Name, int Count)> _recent = new();
    private long _sequence;

    public async Task RecordAsync(Announcement said, CancellationToken ct)
    {
        var key = (said.About.Uid, said.Reason, said.Message);
        if (_recent.TryGetValue(key, out var known) && await RaiseAsync(said, known, ct))
        {
            _recent[key] = (known.Name, known.Count + 1);
            return;
        }

        if (_recent.Count > Remembered) _recent.Clear();
        var body = Render(said);
        await api.CreateAsync(Kinds.Events, Namespace(said.About), body, caller, ct);
        _recent[key] = (body.Name, 1);
    }

    private async Task<bool> RaiseAsync(Announcement said, (string Name, int Count) known, CancellationToken ct)
    {
        var patch = new JsonObject { ["count"] = known.Count + 1, ["lastTimestamp"] = clock.GetUtcNow().ToKubernetesTime() };
        try
        {
            await api.PatchAsync(Kinds.Events, Namespace(said.About), known.Name, PatchKind.StrategicMerge, patch, caller, ct);
            return true;
        }
        catch (ApiException e) when (e.Code == 404)
        {
            return false;   // it has expired: start a new one
        }
    }

    private JsonObject Render(Announcement said)
    {
        var now = clock.GetUtcNow();
        var source = new JsonObject { ["component"] = component };
        if (host is not null) source["host"] = host;
        return new JsonObject
        {
            ["apiVersion"] = "v1", ["kind"] = "Event",
            ["metadata"] = new JsonObject { ["name"] = NextName(said.About, now), ["namespace"] = Namespace(said.About) },
            ["involvedObject"] = Reference(said),
            ["reason"] = said.Reason, ["message"] = said.Message, ["type"] = said.Type, ["source"] = source,
            ["firstTimestamp"] = now.ToKubernetesTime(), ["lastTimestamp"] = now.ToKubernetesTime(), ["count"] = 1,
            ["reportingComponent"] = component, ["reportingInstance"] = host ?? "",
        };
    }

    // Kubernetes names events by the object and the time in nanoseconds; the counter keeps two of one instant apart.
    private string NextName(JsonObject about, DateTimeOffset now) =>
        $"{about.Name}.{((now.ToUnixTimeMilliseconds() * 1_000_000) + Interlocked.Increment(ref _sequence)).ToString("x", CultureInfo.InvariantCulture)}";

    // Events about cluster-scoped objects live in the default namespace.
    private static string Namespace(JsonObject about) => about.Namespace is { Length: > 0 } own ? own : "default";

    private static JsonObject Reference(Announcement said)
    {
        var about = said.About;
        var reference = new JsonObject { ["kind"] = about.Text("kind") };
        if (about.Namespace.Length > 0) reference["namespace"] = about.Namespace;
        reference["name"] = about.Name;
        reference["uid"] = about.Uid;
        reference["apiVersion"] = about.Text("apiVersion");
        reference["resourceVersion"] = about.ResourceVersion;
        if (said.FieldPath is { } path) reference["fieldPath"] = path;
        return reference;
    }
}
