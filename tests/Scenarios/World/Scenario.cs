using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.LocalCluster;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.Operator.Hosting;
using Opt.Testing;
using Xunit;

namespace Opt.Scenarios.World;

/// <summary>The real operator against the real local control plane, with simulated machines and scripted agents, in virtual time.</summary>
internal sealed class Scenario : IAsyncDisposable
{
    public static readonly ResourceId Jobs = new(OptTrainingJob.Group, OptTrainingJob.Version, OptTrainingJob.Plural);
    public static readonly ResourceId Checkpoints = new(OptTrainingJob.Group, OptTrainingJob.Version, OptCheckpoint.Plural);
    public static readonly Caller User = new("alice", "kubectl", ["system:masters", "system:authenticated"]);
    public static readonly ResourceId Crds = new("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    private static readonly Lazy<JsonObject[]> Definitions = new(() => [.. Directory.GetFiles(Repo.PathOf("crds"), "*.yaml").Order(StringComparer.Ordinal).Select(f => Yaml.Parse(File.ReadAllText(f))[0].AsObject())]);
    private readonly EmbeddedApiServer _server;
    private readonly ControlPlane _plane;
    private readonly List<ITimer> _timers = [];
    private readonly List<Task> _background = [];
    private int _processes;
    private (OperatorRuntime Runtime, KubernetesClient Client, CancellationTokenSource Stop, Task Running)? _operator;

    private Scenario(EmbeddedApiServer server, ControlPlane plane, ControllerContext context, ClusterLink link, VirtualTime clock)
    {
        (_server, _plane, Link, Clock) = (server, plane, link, clock);
        Agents = new(clock);
        Second = new(clock);
        Nodes = new(server.Api, context.Pods, AgentsOf, clock);
    }

    public VirtualTime Clock { get; }
    public IClusterApi Api => _server.Api;
    public ScriptedAgents Agents { get; }

    /// <summary>Those of the job named "second", with a store of its own.</summary>
    public ScriptedAgents Second { get; }

    public SimulatedNodes Nodes { get; }
    public ClusterLink Link { get; }

    /// <summary>Plays a scenario in a world of its own.</summary>
    /// <param name="permissions">What the operator may do; null for everything.</param>
    public static Task RunAsync(int nodes, Func<Scenario, Task> play, Permissions? permissions = null) => Quiet.Run(async () =>
    {
        await using var world = await StartAsync(nodes, permissions, TestContext.Current.CancellationToken);
        await world.SettleAsync();
        world.StartOperator();
        await world.SettleAsync();
        await play(world);
    });

    /// <summary>As <see cref="RunAsync(int, Func{Scenario, Task}, Permissions?)"/>, with so many operators that elect a leader.</summary>
    public static Task RunAsync(int nodes, int replicas, Func<Scenario, Task> play) => Quiet.Run(async () =>
    {
        await using var world = await StartAsync(nodes, null, TestContext.Current.CancellationToken);
        await world.SettleAsync();
        for (var i = 0; i < replicas; i++) world.Operators.Add(world.StartProcess());
        await world.SettleAsync();
        await play(world);
    });

    /// <summary>How operators run that start from now on.</summary>
    public OperatorOptions Options { get; set; } = new() { Workers = 1 };

    /// <summary>Operators that elect a leader.</summary>
    public List<OperatorProcess> Operators { get; } = [];

    public WriteAudit Audit { get; } = new();

    /// <summary>Kills that operator; another is started in its place.</summary>
    public async Task ReplaceAsync(OperatorProcess old)
    {
        await EndAsync(old);
        Operators[Operators.IndexOf(old)] = StartProcess();
    }

    private OperatorProcess StartProcess() => new(++_processes, Link, Agents, Audit, Clock, Logs());

    private async Task EndAsync(OperatorProcess process)
    {
        await process.KillAsync(() => Clock.AdvanceAsync(TimeSpan.FromSeconds(6), SettleAsync));
        await process.DisposeAsync();
    }

    private static async Task<Scenario> StartAsync(int nodes, Permissions? permissions, CancellationToken ct)
    {
        var clock = new VirtualTime();
        var server = await EmbeddedApiServer.StartAsync(new() { Clock = clock, Seed = 1, Rbac = permissions is not null, Audit = permissions is null ? null : permissions.Audit }, ct);
        var context = new ControllerContext(server.Api, new CacheSet(server.Api, clock, NullLoggerFactory.Instance), new Activity(), clock, NullLoggerFactory.Instance);
        var plane = new ControlPlane(context, server.Context.Kinds, new());
        await plane.StartAsync(ct);
        var scenario = new Scenario(server, plane, context, await ClusterLink.ToAsync(server, permissions?.User, ct), clock);
        foreach (var definition in Definitions.Value) await server.Api.CreateAsync(Crds, null, definition.DeepClone().AsObject(), User, ct);
        await server.Api.CreateAsync(new("", "v1", "namespaces"), null, new() { ["metadata"] = new JsonObject { ["name"] = "ml" } }, User, ct);
        if (permissions is not null) await permissions.GrantAsync(server.Api, User, ct);
        for (var i = 0; i < nodes; i++) await scenario.Nodes.AddAsync($"node-{i}", ct);
        scenario.Every(TimeSpan.FromSeconds(10), () => scenario.Nodes.HeartbeatAsync(ct));
        scenario.Every(TimeSpan.FromSeconds(1), () =>
        {
            scenario.Agents.Tick();
            scenario.Second.Tick();
            return scenario.Nodes.SyncAsync(ct);
        });
        return scenario;
    }

    /// <summary>Starts an operator process, as far as one can be had in this one.</summary>
    public void StartOperator()
    {
        var random = new Random(7);
        var client = new KubernetesClient(Link.Host, Link, new() { FieldManager = "opt-operator", QueriesPerSecond = 1000, Burst = 1000, Random = () => 0.5 }, Clock);
        var runtime = new OperatorRuntime(Options, client, new AgentsOfJobs(AgentsOf), canActOnNodes: true, Clock, Logs(), random: () => { lock (random) return random.NextDouble(); });
        var stop = new CancellationTokenSource();
        _operator = (runtime, client, stop, Task.Run(() => Task.WhenAll(runtime.FollowAsync(stop.Token), runtime.LeadAsync(stop.Token))));
    }

    /// <summary>The operator ends between two of its writes, with all it remembers.</summary>
    public async Task KillOperatorAsync()
    {
        if (_operator is not { } running) return;
        _operator = null;
        await running.Stop.CancelAsync();
        await Clock.AdvanceAsync(TimeSpan.FromSeconds(6), SettleAsync);   // the recorder's last words have a deadline
        await running.Running;
        await running.Runtime.DisposeAsync();
        running.Client.Dispose();
        running.Stop.Dispose();
    }

    public Task<JsonObject> CreateJobAsync(string manifest) => Api.CreateAsync(Jobs, "ml", Yaml.Parse(manifest)[0].AsObject(), User, TestContext.Current.CancellationToken);

    public Task<JsonObject> EditJobAsync(JsonObject merge) => Api.PatchAsync(Jobs, "ml", "opt", PatchKind.Merge, merge, User, TestContext.Current.CancellationToken);

    public async Task<OptTrainingJobStatus> StatusAsync(string name = "opt")
    {
        var job = await Api.GetAsync(Jobs, "ml", name, TestContext.Current.CancellationToken);
        return job["status"]?.Deserialize(SpecJson.Default.OptTrainingJobStatus) ?? new();
    }

    public async Task<IReadOnlyList<JsonObject>> ListAsync(ResourceId resource, string? @namespace = "ml") =>
        [.. (await Api.ListAsync(resource, @namespace, ListQuery.All, TestContext.Current.CancellationToken))["items"]!.AsArray().Select(i => i!.AsObject())];

    public async Task<RunPlan> PlanAsync(string name = "opt") => (await ListAsync(new("", "v1", "configmaps")))
        .Where(m => m["data"]?["plan.json"] is not null).Select(m => JsonSerializer.Deserialize((string)m["data"]!["plan.json"]!, ProtocolJson.Default.RunPlan)!).Where(p => p.JobName == name).MaxBy(p => (p.Epoch, p.Revision))!;

    public Task AdvanceAsync(TimeSpan by) => Clock.AdvanceAsync(by, SettleAsync);

    /// <summary>Moves time until it holds; fails after the limit with what the job says then.</summary>
    public async Task<OptTrainingJobStatus> UntilAsync(Func<OptTrainingJobStatus, bool> holds, int seconds = 300, string name = "opt")
    {
        for (var i = 0; i < seconds; i++)
        {
            var status = await StatusAsync(name);
            if (holds(status)) return status;
            await AdvanceAsync(TimeSpan.FromSeconds(1));
        }

        throw new TimeoutException($"not within {seconds} s of virtual time; the status is {JsonSerializer.Serialize(await StatusAsync(name), SpecJson.Default.OptTrainingJobStatus)}");
    }

    public async ValueTask DisposeAsync()
    {
        await KillOperatorAsync();
        foreach (var process in Operators) await EndAsync(process);
        foreach (var timer in _timers) await timer.DisposeAsync();
        await Task.WhenAll(_background);
        await Link.DisposeAsync();
        await _plane.DisposeAsync();
        await _server.DisposeAsync();
    }

    private ScriptedAgents AgentsOf(string pod) => pod.StartsWith("second-", StringComparison.Ordinal) ? Second : Agents;

    /// <summary>Where operators that start from now on write their log.</summary>
    public ILoggerFactory? LogTo { get; set; }

    private ILoggerFactory Logs() => LogTo is { } kept ? kept : Environment.GetEnvironmentVariable("OPT_TEST_LOG") is null ? NullLoggerFactory.Instance : LoggerFactory.Create(l => l.AddSimpleConsole(c => c.SingleLine = true).SetMinimumLevel(LogLevel.Debug));

    private Task SettleAsync() => Quiet.SettleAsync(() => Link.IsQuiet);

    private void Every(TimeSpan period, Func<Task> act) => _timers.Add(Clock.CreateTimer(_ =>
    {
        lock (_background)
        {
            _background.RemoveAll(t => t.IsCompletedSuccessfully);
            _background.Add(Task.Run(act));
        }
    }, null, period, period));
}
