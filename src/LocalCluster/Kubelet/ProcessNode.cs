using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Kubelet.Pods;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet;

/// <summary>What a simulated machine is doing.</summary>
public enum MachineState
{
    /// <summary>The kubelet runs and reaches the API server.</summary>
    Up,

    /// <summary>Everything runs, but the kubelet cannot reach the API server.</summary>
    Cut,

    /// <summary>The machine is dead: no process of it lives.</summary>
    Dead,
}

/// <summary>
/// One simulated machine with its kubelet: registers the node, sends heartbeats, and runs a worker for every pod that is bound to it. It can die and come back, and be
/// cut off and rejoin.
/// </summary>
internal sealed partial class ProcessNode : IAsyncDisposable
{
    private readonly ControllerContext _context;
    private readonly NodeOptions _options;
    private readonly NodeServices _services;
    private readonly PodAddresses _addresses;
    private readonly DevicePool _devices;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _turn = new(1);   // one change of the machine's state or of its set of pods at a time
    private readonly Dictionary<string, PodWorker> _workers = new(StringComparer.Ordinal);
    private readonly HashSet<string> _departed = new(StringComparer.Ordinal);
    private string _bootId = Guid.NewGuid().ToString();
    private ITimer? _heartbeat;
    private int _touched;

    public ProcessNode(string name, ControllerContext context, NodeOptions options, NodeServices services, PodAddresses addresses)
    {
        (Name, _context, _options, _services, _addresses) = (name, context, options, services, addresses);
        _devices = new DevicePool(options.AcceleratorResource, options.AcceleratorsPerNode);
        _logger = context.Loggers.CreateLogger<ProcessNode>();
    }

    public string Name { get; }

    public string Address => _services.HostIp;

    public MachineState State { get; private set; }

    public IReadOnlyCollection<PodWorker> Workers
    {
        get
        {
            lock (_workers) return [.. _workers.Values];
        }
    }

    /// <summary>Registers the node and starts its heartbeat; pods that are bound to it are taken up.</summary>
    public async Task StartAsync(CancellationToken ct)
    {
        await RegisterAsync(ct);
        CleanUp();
        _heartbeat = _context.Clock.CreateTimer(_ => _ = BeatAsync(), null, _options.HeartbeatInterval, _options.HeartbeatInterval);
        Touch();
    }

    public string LogPath(string podUid, string container, int restart) => _services.LogPath(podUid, container, restart);

    /// <summary>Something about pods has changed: take up new ones, tell the workers, forget those that have left. Changes that come together are seen together.</summary>
    public void Touch()
    {
        if (Interlocked.Exchange(ref _touched, 1) == 0) _ = SyncAsync();
    }

    /// <summary>A config map or secret has changed.</summary>
    public void SourcesChanged(string @namespace)
    {
        foreach (var worker in Workers.Where(w => State == MachineState.Up && w.Namespace == @namespace)) worker.Post(new PodMessage.Look());
    }

    /// <summary>The machine dies: every process gets SIGKILL, nothing is reported any more.</summary>
    public async Task KillAsync(CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            State = MachineState.Dead;
            _services.Link.IsCut = true;
            await AbandonAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The way to the API server breaks; processes go on.</summary>
    public async Task CutAsync(CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            if (State == MachineState.Dead) throw new InvalidOperationException($"node {Name} is dead; start it first");
            State = MachineState.Cut;
            _services.Link.IsCut = true;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The machine comes back, or the way to the API server does: what it no longer owns is killed, what it still owns is run.</summary>
    public async Task ReturnAsync(CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            if (State == MachineState.Dead) _bootId = Guid.NewGuid().ToString();
            State = MachineState.Up;
            _services.Link.IsCut = false;
            await RegisterAsync(ct);
            CleanUp();
            Sync();
            foreach (var worker in Workers) worker.Post(new PodMessage.Look());
        }
        finally
        {
            _turn.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_heartbeat is not null) await _heartbeat.DisposeAsync();
        await _turn.WaitAsync();
        State = MachineState.Dead;
        await AbandonAsync();
        _turn.Release();   // a late change finds the machine dead
    }

    private async Task SyncAsync()
    {
        await Task.Yield();   // the caller holds a cache's lock
        await _turn.WaitAsync();
        try
        {
            Volatile.Write(ref _touched, 0);
            if (State == MachineState.Up) Sync();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Log.Failed(_logger, e, Name);
        }
        finally
        {
            _turn.Release();
        }
    }

    private void Sync()
    {
        var bound = _context.Pods.ByIndex(ControllerContext.ByNode, Name).ToDictionary(pod => pod.Uid);
        foreach (var worker in Workers.Where(w => w.Finished.IsCompleted)) Depart(worker);
        foreach (var worker in Workers) worker.Post(new PodMessage.Changed(bound.GetValueOrDefault(worker.Uid)));
        foreach (var pod in bound.Values.Where(pod => !IsKnown(pod.Uid) && !_departed.Contains(pod.Uid) && (!pod.IsFinished || pod.IsTerminating))) Admit(pod);
        _departed.RemoveWhere(uid => !bound.ContainsKey(uid));
    }

    // Directories of pods that went while this machine was away.
    private void CleanUp()
    {
        var root = Path.Combine(_services.DataRoot, "pods");
        if (!Directory.Exists(root)) return;
        var bound = _context.Pods.ByIndex(ControllerContext.ByNode, Name).Select(pod => pod.Uid).ToHashSet();
        foreach (var path in Directory.EnumerateDirectories(root).Where(path => !bound.Contains(Path.GetFileName(path)) && !IsKnown(Path.GetFileName(path)))) Directory.Delete(path, recursive: true);
    }

    private bool IsKnown(string uid)
    {
        lock (_workers) return _workers.ContainsKey(uid);
    }

    private void Admit(JsonObject pod)
    {
        if (_devices.Allocate(pod) is not { } devices)
        {
            // Devices of a pod that is on its way out will be free in a moment; its worker's end brings us here again.
            if (Workers.Any(w => w.IsEnding)) return;
            _departed.Add(pod.Uid);
            _ = RejectAsync(pod);
            return;
        }

        var ip = _addresses.Take(pod.PodIp is { Length: > 0 } before ? before : null);
        var node = _context.Nodes.Get(new("", Name)) ?? [];
        var worker = new PodWorker(_services, node, pod, ip, devices, _logger);
        lock (_workers) _workers[pod.Uid] = worker;
        _ = worker.Finished.ContinueWith(_ => Touch(), TaskScheduler.Default);
    }

    private void Depart(PodWorker worker)
    {
        lock (_workers) _workers.Remove(worker.Uid);
        _departed.Add(worker.Uid);
        _devices.Release(worker.Uid);
        _addresses.Release(worker.PodIp);
    }

    private async Task AbandonAsync()
    {
        foreach (var worker in Workers)
        {
            await worker.DisposeAsync();
            lock (_workers) _workers.Remove(worker.Uid);
            _devices.Release(worker.Uid);
            _addresses.Release(worker.PodIp);
        }
    }
}
