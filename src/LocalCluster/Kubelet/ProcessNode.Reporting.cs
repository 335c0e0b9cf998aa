using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet;

/// <summary>What the node tells the API server about itself.</summary>
internal sealed partial class ProcessNode
{
    private const int LeaseSeconds = 40;

    private async Task RegisterAsync(CancellationToken ct)
    {
        var link = _services.Link;
        var now = _context.Clock.GetUtcNow();
        var known = await link.TryAsync(api => api.GetAsync(Kinds.Nodes, null, Name, ct));
        known ??= await link.TryAsync(api => api.CreateAsync(Kinds.Nodes, null, NodeRegistration.Node(Name, _services.HostIp, _devices, _bootId, now), link.Caller, ct));
        await PostStatusAsync(known!, now, ct);
        await RenewAsync(known!, now, ct);
    }

    private async Task BeatAsync()
    {
        if (State != MachineState.Up) return;
        using var deadline = new CancellationTokenSource(_options.HeartbeatInterval, _context.Clock);
        try
        {
            var now = _context.Clock.GetUtcNow();
            if (_context.Nodes.Get(new("", Name)) is not { } node) await RegisterAsync(deadline.Token);   // somebody deleted the node object
            else await RefreshAsync(node, now, deadline.Token);
        }
        catch (Exception e) when (e is ApiException or NodeCutException or OperationCanceledException)
        {
            if (State == MachineState.Up) Log.Missed(_logger, Name, e.Message);   // otherwise it was meant to fail
        }
    }

    // The lease is the heartbeat; the status is posted only when it is not what it should be.
    private async Task RefreshAsync(JsonObject node, DateTimeOffset now, CancellationToken ct)
    {
        await RenewAsync(node, now, ct);
        if (!Condition.IsTrue(node, "Ready")) await PostStatusAsync(node, now, ct);
    }

    private async Task PostStatusAsync(JsonObject node, DateTimeOffset now, CancellationToken ct)
    {
        var status = NodeRegistration.Status(node, Name, _services.HostIp, _devices, _bootId, now);
        await _services.Link.TryAsync(api => api.PatchAsync(
            Kinds.Nodes, null, Name, PatchKind.StrategicMerge, new JsonObject { ["status"] = status }, _services.Link.Caller, ct, "status"));
    }

    private async Task RenewAsync(JsonObject node, DateTimeOffset now, CancellationToken ct)
    {
        var link = _services.Link;
        var lease = NodeRegistration.Lease(Name, node, LeaseSeconds, now);
        var renewed = await link.TryAsync(api => api.PatchAsync(Kinds.Leases, "kube-node-lease", Name, PatchKind.Merge, lease.DeepClone(), link.Caller, ct));
        if (renewed is null) await link.TryAsync(api => api.CreateAsync(Kinds.Leases, "kube-node-lease", lease, link.Caller, ct));
    }

    private async Task RejectAsync(JsonObject pod)
    {
        var message = $"Pod was rejected: Allocate failed due to requested number of devices unavailable for {_devices.Resource}. Available: {_devices.Free}, which is unexpected";
        var status = new JsonObject { ["phase"] = "Failed", ["reason"] = "UnexpectedAdmissionError", ["message"] = message };
        var patch = new JsonObject { ["metadata"] = new JsonObject { ["uid"] = pod.Uid }, ["status"] = status };
        try
        {
            await _services.Link.TryAsync(api => api.PatchAsync(Kinds.Pods, pod.Namespace, pod.Name, PatchKind.StrategicMerge, patch, _services.Link.Caller, CancellationToken.None, "status"));
            await _services.Link.SayAsync(Announcement.Warning(pod, "UnexpectedAdmissionError", message), CancellationToken.None);
        }
        catch (Exception e) when (e is ApiException or NodeCutException)
        {
            Log.Missed(_logger, Name, e.Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(4102, LogLevel.Warning, "Node {Node} could not report: {Reason}")]
        public static partial void Missed(ILogger logger, string node, string reason);

        [LoggerMessage(4104, LogLevel.Error, "Node {Node} could not take in its pods")]
        public static partial void Failed(ILogger logger, Exception error, string node);
    }
}
