using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Kubelet;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Simulation;

/// <summary>
/// Any number of nodes without machines: they register, send heartbeats and run every pod that is bound to them as a script. They fail as machines do. All of it happens
/// on one queue of the cluster, so <see cref="Cluster.IdleAsync"/> waits for it.
/// </summary>
public sealed partial class SimulatedNodes : IAsyncDisposable
{
    private readonly ControllerContext _context;
    private readonly SimulatedNodeOptions _options;
    private readonly ControllerLoop<Work> _loop;
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<string, SimulatedMachine> _machines = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private readonly Dictionary<string, SimulatedRun> _byIp = new(StringComparer.Ordinal);
    private readonly ITimer _heartbeat;
    private readonly Task _running;
    private int _addresses;

    private SimulatedNodes(ControllerContext context, SimulatedNodeOptions options)
    {
        (_context, _options) = (context, options);
        for (var i = 1; i <= options.Count; i++) _machines[$"{options.NamePrefix}{i}"] = new SimulatedMachine($"{options.NamePrefix}{i}", NextAddress());
        _loop = context.Loop<Work>("simulated-kubelet", DoAsync);
        _running = _loop.RunAsync(_stop.Token);
        _heartbeat = context.Clock.CreateTimer(_ => _loop.Enqueue(Work.Heartbeat), null, options.HeartbeatInterval, options.HeartbeatInterval);
    }

    /// <summary>What there is to do: all heartbeats, or one pod of one node.</summary>
    private readonly record struct Work(string Node, ObjectKey Pod)
    {
        public static readonly Work Heartbeat = new("", default);
    }

    public IReadOnlyCollection<string> Names => _machines.Keys;

    internal TimeProvider Clock => _context.Clock;

    /// <summary>Registers the nodes in a cluster and takes up the pods that are bound to them.</summary>
    public static async Task<SimulatedNodes> StartAsync(Cluster cluster, SimulatedNodeOptions options, CancellationToken ct)
    {
        var nodes = new SimulatedNodes(cluster.Context, options);
        foreach (var (index, machine) in nodes._machines.Values.Index()) await nodes.RegisterAsync(machine, index, ct);
        cluster.Context.Pods.Subscribe(nodes.OnPod);
        return nodes;
    }

    public MachineState StateOf(string node) => Find(node).State;

    /// <summary>The script that runs under an address, or null.</summary>
    public ISimulatedPod? At(string ip)
    {
        lock (_gate) return _byIp.GetValueOrDefault(ip)?.Script;
    }

    /// <summary>The machine dies with everything on it.</summary>
    public void Kill(string node)
    {
        var machine = Find(node);
        machine.State = MachineState.Dead;
        foreach (var uid in machine.Runs.Keys.ToList()) End(machine, uid);
    }

    /// <summary>The node's kubelet cannot reach the API server any more; its pods go on.</summary>
    public void Cut(string node)
    {
        if (Find(node).State == MachineState.Dead) throw new InvalidOperationException($"node {node} is dead; return it first");
        Find(node).State = MachineState.Cut;
    }

    /// <summary>The machine is back, or reaches the API server again: what it no longer owns dies, what it still owns runs.</summary>
    public async Task ReturnAsync(string node, CancellationToken ct)
    {
        var machine = Find(node);
        if (machine.State == MachineState.Dead) machine.BootId = Guid.NewGuid().ToString();
        machine.State = MachineState.Up;
        await PostStatusAsync(machine, ct);
        await RenewAsync(machine, ct);
        var bound = _context.Pods.ByIndex(ControllerContext.ByNode, node);
        foreach (var gone in machine.Runs.Keys.Except(bound.Select(pod => pod.Uid)).ToList()) End(machine, gone);
        foreach (var pod in bound) _loop.Enqueue(new(node, pod.Key));
    }

    public async ValueTask DisposeAsync()
    {
        await _heartbeat.DisposeAsync();
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private void OnPod(ObjectChange change)
    {
        if (_machines.ContainsKey(change.Latest.NodeName)) _loop.Enqueue(new(change.Latest.NodeName, change.Key));
    }

    private SimulatedMachine Find(string node) => _machines.GetValueOrDefault(node) ?? throw new KeyNotFoundException($"There is no simulated node {node}.");

    private string NextAddress() => _options.Address(Interlocked.Increment(ref _addresses));
}
