using Microsoft.Extensions.Logging;
using Opt.Kubernetes;
using Opt.Operator.Agents;
using Opt.Operator.Checkpoints;
using Opt.Operator.Cluster;
using Opt.Operator.Jobs;
using Opt.Operator.Logbooks;
using Opt.Operator.Rendering;
using KubeController = Opt.Kubernetes.Controller<Opt.Operator.Jobs.JobObject>;

namespace Opt.Operator.Hosting;

/// <summary>
/// All parts of the operator, wired by hand: informers run always, so that a new leader starts warm; reconciling runs while leading.
/// </summary>
internal sealed class OperatorRuntime : IAsyncDisposable
{
    private readonly OperatorOptions _options;
    private readonly KubernetesClient _client;
    private readonly IAgentClient _agents;
    private readonly TimeProvider _clock;
    private readonly ILoggerFactory _logs;
    private readonly Func<double> _random;
    private readonly OperatorInformers _informers;
    private readonly EvidenceStore _evidence = new();
    private readonly PlanReader _plans = new();
    private readonly EventRecorder _events;
    private readonly ControllerMetrics? _controllerMetrics;
    private readonly bool _canActOnNodes;
    private readonly List<IDisposable> _subscriptions;

    /// <param name="canActOnNodes">Whether nodes may be read and patched: <see cref="NodeAccess"/>.</param>
    public OperatorRuntime(OperatorOptions options, KubernetesClient client, IAgentClient agents, bool canActOnNodes, TimeProvider clock, ILoggerFactory logs, ControllerMetrics? controllerMetrics = null, Func<double>? random = null)
    {
        (_options, _client, _agents, _clock, _logs, _canActOnNodes, _controllerMetrics, _random) = (options, client, agents, clock, logs, canActOnNodes, controllerMetrics, random ?? System.Random.Shared.NextDouble);
        _informers = new(client, options.Namespace, canActOnNodes, logs);
        _events = new(client.Resource(Resources.Events), "training.opt-operator.io/opt-operator", Environment.GetEnvironmentVariable("POD_NAME") ?? Environment.MachineName, clock, logs.CreateLogger<EventRecorder>());
        _subscriptions = [_informers.Pods.Subscribe(_evidence.Observe), _informers.Plans.Subscribe(ForgetPlan)];
    }

    public OperatorMetrics Metrics { get; } = new();

    /// <summary>Everything this process knows is up to date; a standby is ready too.</summary>
    public bool IsReady => _informers.HaveSynced;

    public OperatorInformers Informers => _informers;

    /// <summary>The controller of the running term; null while not leading.</summary>
    public KubeController? Leading { get; private set; }

    /// <summary>Keeps the local copies up to date and publishes events, until cancelled.</summary>
    public Task FollowAsync(CancellationToken ct) => Task.WhenAll(_informers.RunAsync(ct), _events.RunAsync(ct));

    /// <summary>Reconciles until cancelled: one term of leadership.</summary>
    public async Task LeadAsync(CancellationToken ct)
    {
        KubeController? controller = null;
        var gate = new QuarantineGate(_informers.CountNodes, _options.Breaker, _clock);
        var observer = new Observer(_informers, _client, _plans, _evidence, _canActOnNodes, _options.AgentPort, gate, _clock);
        var executor = new PlanExecutor(_client, _informers, _agents, gate, _clock, Metrics, _logs.CreateLogger<PlanExecutor>());
        var publisher = new StatusPublisher(_client, _events, _options.StatusInterval, _clock);
        var checkpoints = new CheckpointSync(_client, _informers, _agents, _clock, _logs.CreateLogger<CheckpointSync>());
        var logbooks = new LogbookKeeper(_client, _clock, _logs.CreateLogger<LogbookKeeper>());
        var poolLog = _logs.CreateLogger<AgentPool>();
        await using var reconciler = new TrainingJobReconciler(observer, executor, publisher, checkpoints, logbooks, key => new AgentPool(_agents, _clock, _random, poolLog, after => controller?.Queue.Add(key, after)), Metrics, _clock, _logs.CreateLogger<TrainingJobReconciler>());
        using (controller = new(_informers.Jobs, reconciler, new() { Name = "jobs", Workers = _options.Workers, Queue = new() { Backoff = TimeSpan.FromMilliseconds(100), BackoffCap = TimeSpan.FromMinutes(1), Random = _random } }, _clock, _logs.CreateLogger<KubeController>(), _controllerMetrics))
        {
            Leading = _informers.Feed(controller);
            using var nodes = new Controller<V1Node>(_informers.Nodes, new NodeCaretaker(_client, Metrics, _clock, _logs.CreateLogger<NodeCaretaker>()), new() { Name = "nodes", Workers = 1, Queue = new() { Random = _random } }, _clock, _logs.CreateLogger<Controller<V1Node>>(), _controllerMetrics);
            try
            {
                await Task.WhenAll(controller.RunAsync(ct), _canActOnNodes ? nodes.RunAsync(ct) : Task.CompletedTask);
            }
            finally
            {
                Leading = null;
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        foreach (var subscription in _subscriptions) subscription.Dispose();
        _informers.Dispose();
        Metrics.Dispose();
        return ValueTask.CompletedTask;
    }

    private void ForgetPlan(InformerChange<V1ConfigMap> change)
    {
        if (change is { New: null, Old: { } gone }) _plans.Forget(gone);
    }
}
