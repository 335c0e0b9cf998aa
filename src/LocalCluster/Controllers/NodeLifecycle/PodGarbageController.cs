using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.NodeLifecycle;

/// <summary>Runs <see cref="PodGarbage"/> from time to time.</summary>
internal sealed class PodGarbageController : IController
{
    private readonly ControllerContext _context;
    private readonly NodeLifecycleOptions _options;
    private readonly ControllerLoop<string> _loop;
    private readonly Executor _executor;
    private readonly Dictionary<string, DateTimeOffset> _missing = new(StringComparer.Ordinal);

    public PodGarbageController(ControllerContext context, NodeLifecycleOptions options)
    {
        _context = context;
        _options = options;
        _loop = context.Loop<string>("pod-garbage", ReconcileAsync);
        _executor = context.ExecutorFor("pod-garbage-collector");
        _loop.Enqueue("");
    }

    public Task RunAsync(CancellationToken ct) => _loop.RunAsync(ct);

    private async Task<TimeSpan?> ReconcileAsync(string _, CancellationToken ct)
    {
        var pods = _context.Pods.All();
        var nodes = _context.Nodes.All().ToDictionary(node => node.Name);
        var absent = pods.Select(pod => pod.NodeName).Where(node => node.Length > 0 && !nodes.ContainsKey(node)).ToHashSet();
        foreach (var back in _missing.Keys.Where(node => !absent.Contains(node)).ToList()) _missing.Remove(back);
        foreach (var node in absent) _missing.TryAdd(node, _context.Now);
        await _executor.RunAsync(PodGarbage.Decide(pods, nodes, _missing, _options.MissingNodeQuarantine, _context.Now).ToList(), ct);
        return _options.PodGarbagePeriod;
    }
}
