using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet;

/// <summary>A node's way to the API server, which can be cut.</summary>
internal sealed class NodeLink
{
    private readonly IClusterApi _api;
    private readonly EventRecorder _events;
    private volatile bool _cut;

    public NodeLink(IClusterApi api, string node, TimeProvider clock)
    {
        _api = api;
        Caller = new Caller($"system:node:{node}", "kubelet", ["system:nodes", "system:authenticated"]);
        _events = new EventRecorder(api, Caller, "kubelet", node, clock);
    }

    public Caller Caller { get; }

    public bool IsCut
    {
        get => _cut;
        set => _cut = value;
    }

    /// <summary>Runs a request; null when the server says that the object is not there.</summary>
    /// <exception cref="NodeCutException">The API server cannot be reached from this node.</exception>
    public async Task<JsonObject?> TryAsync(Func<IClusterApi, Task<JsonObject>> request)
    {
        if (IsCut) throw new NodeCutException();
        try
        {
            return await request(_api);
        }
        catch (ApiException e) when (e.Code == 404)
        {
            return null;
        }
    }

    /// <summary>Records an event; while the node is cut off it is lost, as in life.</summary>
    public async Task SayAsync(Announcement said, CancellationToken ct)
    {
        if (IsCut) return;
        try
        {
            await _events.RecordAsync(said, ct);
        }
        catch (ApiException)
        {
            // Events are advice: one that the server refuses (its namespace is going away, say) must not stop a pod.
        }
    }
}
