using System.Text.Json.Nodes;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.NodeLifecycle;

/// <summary>Deletes pods from nodes with NoExecute taints when their toleration has run out, counted from when this controller first saw the taint.</summary>
internal sealed class TaintEvictionController : IController
{
    private readonly ControllerContext _context;
    private readonly ControllerLoop<ObjectKey> _loop;
    private readonly Executor _executor;
    private readonly Dictionary<string, DateTimeOffset> _since = new(StringComparer.Ordinal);

    public TaintEvictionController(ControllerContext context)
    {
        _context = context;
        _loop = context.Loop<ObjectKey>("taint-eviction", ReconcileAsync);
        _executor = context.ExecutorFor("taint-eviction-controller");
        context.Pods.Subscribe(OnPod);
        context.Nodes.Subscribe(OnNode);
    }

    public Task RunAsync(CancellationToken ct) => _loop.RunAsync(ct);

    private void OnPod(ObjectChange change)
    {
        if (change.Latest.NodeName.Length > 0) _loop.Enqueue(change.Key);
    }

    private void OnNode(ObjectChange change)
    {
        if (change.After is not { } node || JsonNode.DeepEquals(change.Before.At("spec", "taints"), node.At("spec", "taints"))) return;
        foreach (var pod in _context.Pods.ByIndex(ControllerContext.ByNode, node.Name)) _loop.Enqueue(pod.Key);
    }

    private async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken ct)
    {
        if (_context.Pods.Get(key) is not { IsTerminating: false } pod) return null;
        var taints = _context.Nodes.Get(new("", pod.NodeName)) is { } node ? TaintEviction.NoExecuteOf(node) : [];
        if (TaintEviction.StayOf(pod, taints) is not { } stay)
        {
            if (_since.Remove(pod.Uid)) await _executor.RunAsync([new Act.Announce(Announcement.Normal(pod, "TaintManagerEviction", $"Cancelling deletion of Pod {pod.Key}"))], ct);
            return null;
        }

        if (!_since.TryGetValue(pod.Uid, out var since)) _since[pod.Uid] = since = _context.Now;
        var left = since + stay - _context.Now;
        if (left > TimeSpan.Zero) return left;
        _since.Remove(pod.Uid);
        await _executor.RunAsync(TaintEviction.Evict(pod, _context.Now), ct);
        return null;
    }
}
