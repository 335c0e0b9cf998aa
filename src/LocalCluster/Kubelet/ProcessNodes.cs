using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Kubelet.Processes;
using Opt.LocalCluster.Kubelet.Volumes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet;

/// <summary>All simulated machines of a cluster whose pods run as processes on this one: starts them, fails them, and finds their logs and processes.</summary>
public sealed class ProcessNodes : IPodLogs, IAsyncDisposable
{
    private static readonly string[] InheritedNames = ["PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DOTNET_ROOT", "DOTNET_ROOT_X64"];
    private readonly ControllerContext _context;
    private readonly NodeOptions _options;
    private readonly FileStream _lock;
    private readonly Watchdog _watchdog;
    private readonly PodAddresses _addresses;
    private readonly HttpClient _http;
    private readonly Dictionary<string, ProcessNode> _nodes = new(StringComparer.Ordinal);

    private ProcessNodes(ControllerContext context, NodeOptions options, FileStream held)
    {
        (_context, _options, _lock) = (context, options, held);
        var directory = InstanceOf(options.DataDirectory);
        // A part of its own for every run: the watchdog of the run before may still be looking for what that one left.
        Instance = $"{directory}-{Guid.NewGuid().ToString("N")[..8]}";
        Watchdog.KillOrphans($"{directory}-");
        _watchdog = Watchdog.Start(Instance);
        _addresses = PodAddresses.Claim();
        _http = ProbeClient();
    }

    /// <summary>Every process of this run of the cluster carries it in its environment, in <c>OPT_LOCAL_CONTAINER</c>.</summary>
    public string Instance { get; }

    public IReadOnlyCollection<string> Names => _nodes.Keys;

    /// <exception cref="IOException">Another opt-local uses the data directory.</exception>
    internal static async Task<ProcessNodes> StartAsync(ControllerContext context, NodeOptions options, CancellationToken ct)
    {
        Directory.CreateDirectory(options.DataDirectory);
        var nodes = new ProcessNodes(context, options, Hold(options.DataDirectory));
        for (var i = 0; i < options.Count; i++) await nodes.AddAsync(i, ct);
        context.Pods.Subscribe(nodes.OnPod);
        context.Caches.Of(Kinds.ConfigMaps).Subscribe(nodes.OnSource);
        context.Caches.Of(Kinds.Secrets).Subscribe(nodes.OnSource);
        return nodes;
    }

    /// <summary>What the machine is doing.</summary>
    /// <exception cref="KeyNotFoundException">There is no machine of that name.</exception>
    public MachineState StateOf(string node) => Find(node).State;

    /// <summary>The machine dies: all its processes get SIGKILL, its heartbeats stop, its kubelet answers nobody.</summary>
    public Task KillAsync(string node, CancellationToken ct) => Find(node).KillAsync(ct);

    /// <summary>The machine's processes go on, but its kubelet cannot reach the API server.</summary>
    public Task CutAsync(string node, CancellationToken ct) => Find(node).CutAsync(ct);

    /// <summary>The machine comes back, or reaches the API server again; it kills what it no longer owns.</summary>
    public Task ReturnAsync(string node, CancellationToken ct) => Find(node).ReturnAsync(ct);

    /// <summary>The main processes of a pod's running containers.</summary>
    public IReadOnlyList<(string Container, int ProcessId)> ProcessesOf(string podUid) => WorkerOf(podUid) is not { } found ? [] :
        [.. found.Worker.Containers.Where(c => c.IsRunning).Select(c => (c.Name, found.Worker.Instance(c.Name)?.ProcessId ?? 0)).Where(p => p.Item2 > 0)];

    /// <summary>Every living process of a pod, descendants included, with its command line.</summary>
    public IReadOnlyList<(int ProcessId, string CommandLine)> AllProcessesOf(string podUid) =>
        [.. ProcessTable.WithMarker($"{Instance}/{podUid}/").Select(pid => (pid, ProcessTable.CommandLine(pid)))];

    public IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(JsonObject pod, string container, PodLogOptions options, CancellationToken ct)
    {
        if (!_nodes.TryGetValue(pod.NodeName, out var node)) throw ApiErrors.BadRequest($"pod {pod.Name} is on node {pod.NodeName}, which has no kubelet here");
        if (node.State != MachineState.Up) throw Unreachable(node, pod, container);
        var worker = WorkerOf(pod.Uid)?.Worker;
        var state = worker?.Containers.FirstOrDefault(c => c.Name == container);
        var restart = (state?.RestartCount ?? LastKnown(pod, container)) - (options.Previous ? 1 : 0);
        var path = node.LogPath(pod.Uid, container, restart);
        if (restart < 0) throw ApiErrors.BadRequest($"previous terminated container \"{container}\" in pod \"{pod.Name}\" not found");
        if (!File.Exists(path)) throw ApiErrors.BadRequest($"container \"{container}\" in pod \"{pod.Name}\" is waiting to start: {(state?.Run as Pods.Run.Waiting)?.Reason ?? "ContainerCreating"}");
        bool Ended() => worker is null || worker.Finished.IsCompleted || !worker.Containers.Any(c => c.Name == container && c.IsRunning && c.RestartCount == restart);
        return LogReader.ReadAsync(path, options, Ended, _context.Clock, ct).Select(text => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(text));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes.Values) await node.DisposeAsync();
        _watchdog.Dispose();
        _addresses.Dispose();
        _http.Dispose();
        await _lock.DisposeAsync();
    }

    private static HttpClient ProbeClient()
    {
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, PooledConnectionLifetime = TimeSpan.FromSeconds(1) };
#pragma warning disable CA5359 // Probes do not check certificates: Kubernetes says so.
        handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, _) => true;
#pragma warning restore CA5359
        return new HttpClient(handler);
    }

    private static FileStream Hold(string directory)
    {
        try
        {
            return new FileStream(Path.Combine(directory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new IOException($"The data directory {directory} is used by another opt-local; stop it, or give this one another --state-dir.", e);
        }
    }

    private static string InstanceOf(string directory) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFullPath(directory))))[..16];

    private async Task AddAsync(int index, CancellationToken ct)
    {
        var name = $"{_options.NamePrefix}{index + 1}";
        var link = new NodeLink(_context.Api, name, _context.Clock);
        var services = new NodeServices(
            Instance, Path.Combine(_options.DataDirectory, "nodes", name), _addresses.Node(index), link, _options.Images,
            new VolumeManager(Path.Combine(_options.DataDirectory, "claims"), _options.HostPaths, _context.Clock), new ApiPodSources(_context.Caches, link, _context.Clock),
            _options.Backoff, _http, Inherited(), _options.LogLimits, _context.Clock);
        var node = new ProcessNode(name, _context, _options, services, _addresses);
        _nodes[name] = node;
        await node.StartAsync(ct);
    }

    private Dictionary<string, string> Inherited()
    {
        var variables = InheritedNames.Select(name => (Name: name, Value: System.Environment.GetEnvironmentVariable(name)))
            .Where(v => v.Value is not null).ToDictionary(v => v.Name, v => v.Value!, StringComparer.Ordinal);
        if (_options.ApiServer is not { } api) return variables;
        variables["KUBERNETES_SERVICE_HOST"] = api.Host;
        variables["KUBERNETES_SERVICE_PORT"] = variables["KUBERNETES_SERVICE_PORT_HTTPS"] = api.Port.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return variables;
    }

    private void OnPod(ObjectChange change)
    {
        if (_nodes.TryGetValue(change.Latest.NodeName, out var node)) node.Touch();
    }

    private void OnSource(ObjectChange change)
    {
        if (change.Before is null && change.After is null) return;
        foreach (var node in _nodes.Values) node.SourcesChanged(change.Key.Namespace);
    }

    private ProcessNode Find(string node) =>
        _nodes.GetValueOrDefault(node) ?? throw new KeyNotFoundException($"There is no node {node}; there are {string.Join(", ", _nodes.Keys)}.");

    private (ProcessNode Node, Pods.PodWorker Worker)? WorkerOf(string uid)
    {
        foreach (var node in _nodes.Values)
        {
            if (node.Workers.FirstOrDefault(w => w.Uid == uid) is { } worker) return (node, worker);
        }

        return null;
    }

    private static int LastKnown(JsonObject pod, string container) => (int)(pod.Objects("status", "containerStatuses").Concat(pod.Objects("status", "initContainerStatuses"))
        .FirstOrDefault(s => s.Text("name") == container).Number("restartCount") ?? 0);

    private static ApiException Unreachable(ProcessNode node, JsonObject pod, string container)
    {
        var message = $"Get \"https://{node.Address}:10250/containerLogs/{pod.Namespace}/{pod.Name}/{container}\": dial tcp {node.Address}:10250: connect: connection refused";
        return ApiErrors.Error(500, "InternalError", message, null);
    }
}
