using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.NodeLifecycle;

/// <summary>
/// Watches the nodes' signs of life. A silent node becomes Unknown and its pods unready at the next look; it is tainted NoExecute at the look after that,
/// as fast as the eviction rate of its zone allows. NoSchedule taints follow conditions and cordon at once.
/// </summary>
internal sealed class NodeLifecycleController : IController
{
    private readonly ControllerContext _context;
    private readonly NodeLifecycleOptions _options;
    private readonly ControllerLoop<ObjectKey> _taints;
    private readonly ControllerLoop<string> _monitor;
    private readonly Executor _executor;
    private readonly Dictionary<string, NodeHealth> _health = new(StringComparer.Ordinal);
    private readonly Dictionary<string, JsonObject> _known = new(StringComparer.Ordinal);
    private readonly ZoneLimiter _limiter;

    public NodeLifecycleController(ControllerContext context, NodeLifecycleOptions options)
    {
        _context = context;
        _options = options;
        _limiter = new ZoneLimiter(new EvictionRate(options.EvictionRate, options.SecondaryEvictionRate));
        _executor = context.ExecutorFor("node-controller");
        _taints = context.Loop<ObjectKey>("node-taints", SyncNoScheduleAsync);
        _monitor = context.Loop<string>("node-monitor", MonitorAsync);
        context.Nodes.Subscribe(change => _taints.Enqueue(change.Key));
        _monitor.Enqueue("");
    }

    public Task RunAsync(CancellationToken ct) => Task.WhenAll(_taints.RunAsync(ct), _monitor.RunAsync(ct));

    private async Task<TimeSpan?> SyncNoScheduleAsync(ObjectKey key, CancellationToken ct)
    {
        if (_context.Nodes.Get(key) is not { IsTerminating: false } node) return null;
        if (!node.Annotations.ContainsKey("node.alpha.kubernetes.io/ttl"))
        {
            var ttl = new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { ["node.alpha.kubernetes.io/ttl"] = "0" } } };
            await _executor.RunAsync([new Act.Patch(Kinds.Nodes, node, PatchKind.StrategicMerge, ttl)], ct);
            node = _context.Nodes.Get(key) ?? node;
        }

        if (NodeTaints.NoSchedule(node, _context.Now) is { } taints) await _executor.RunAsync([new Act.Replace(Kinds.Nodes, NodeTaints.With(node, taints))], ct);
        return null;
    }

    private async Task<TimeSpan?> MonitorAsync(string _, CancellationToken ct)
    {
        var nodes = _context.Nodes.All();
        await NoteMembershipAsync(nodes, ct);
        foreach (var node in nodes) await CheckAsync(node, ct);
        await TaintForEvictionAsync(nodes, ct);
        return _options.MonitorPeriod;
    }

    private async Task NoteMembershipAsync(IReadOnlyList<JsonObject> nodes, CancellationToken ct)
    {
        var present = nodes.ToDictionary(node => node.Name);
        foreach (var gone in _known.Where(k => !present.ContainsKey(k.Key)).ToList())
        {
            _known.Remove(gone.Key);
            _health.Remove(gone.Key);
            await SayAsync(Announcement.Normal(gone.Value, "RemovingNode", $"Node {gone.Key} event: Removing Node {gone.Key} from Controller"), ct);
        }

        foreach (var node in nodes)
        {
            if (_known.TryAdd(node.Name, node)) await SayAsync(Announcement.Normal(node, "RegisteredNode", $"Node {node.Name} event: Registered Node {node.Name} in Controller"), ct);
        }
    }

    private async Task CheckAsync(JsonObject node, CancellationToken ct)
    {
        var now = _context.Now;
        var lease = _context.Caches.Of(Kinds.Leases).Get(new("kube-node-lease", node.Name));
        var health = _health[node.Name] = NodeHealth.Observe(_health.GetValueOrDefault(node.Name), node, lease, now);
        var wasReady = Condition.IsTrue(_known[node.Name], "Ready");
        var seen = node;
        if (NodeMonitor.Decide(node, health, _options.MonitorGracePeriod, now) is { } status)
        {
            await _executor.RunAsync([Act.ReplaceStatus(Kinds.Nodes, node, status)], ct);
            seen = _context.Nodes.Get(node.Key) ?? node;
        }

        if (wasReady && !Condition.IsTrue(seen, "Ready"))
        {
            await SayAsync(Announcement.Normal(node, "NodeNotReady", $"Node {node.Name} status is now: NodeNotReady"), ct);
            await MarkPodsNotReadyAsync(node.Name, ct);
        }

        _known[node.Name] = seen;
    }

    private async Task MarkPodsNotReadyAsync(string node, CancellationToken ct)
    {
        var now = _context.Now.ToKubernetesTime();
        foreach (var pod in _context.Pods.ByIndex(ControllerContext.ByNode, node).Where(pod => pod.IsPodReady))
        {
            var ready = new JsonObject { ["type"] = "Ready", ["status"] = "False", ["lastTransitionTime"] = now };
            var patch = new JsonObject { ["status"] = new JsonObject { ["conditions"] = new JsonArray(ready) } };
            await _executor.RunAsync(
                [new Act.Patch(Kinds.Pods, pod, PatchKind.StrategicMerge, patch, "status"), new Act.Announce(Announcement.Warning(pod, "NodeNotReady", "Node is not ready"))], ct);
        }
    }

    // Judged by the nodes as they were before this look, as Kubernetes does: a node that just went silent is emptied at the next look.
    private async Task TaintForEvictionAsync(IReadOnlyList<JsonObject> nodes, CancellationToken ct)
    {
        _limiter.Update(nodes, _context.Now);
        foreach (var before in nodes)
        {
            if (_context.Nodes.Get(before.Key) is not { IsTerminating: false } node) continue;
            if (_limiter.EveryZoneIsLost)
            {
                // It is more likely that this control plane is cut off than that every machine died: nobody is evicted.
                if (NodeTaints.WithoutEviction(node) is { } cleared) await _executor.RunAsync([new Act.Replace(Kinds.Nodes, NodeTaints.With(node, cleared))], ct);
                continue;
            }

            var wants = NodeTaints.EvictionTaint(before);
            if (wants is null && NodeTaints.EvictionTaint(node) is not null) continue;
            var has = TaintEviction.NoExecuteOf(node).Any(t => t.Key == wants);
            var mayAdd = wants is not null && !has && _limiter.TryTake(node, _context.Now);
            if (NodeTaints.NoExecute(node, mayAdd, _context.Now) is { } taints) await _executor.RunAsync([new Act.Replace(Kinds.Nodes, NodeTaints.With(node, taints))], ct);
        }
    }

    private Task SayAsync(Announcement said, CancellationToken ct) => _executor.RunAsync([new Act.Announce(said)], ct);
}
