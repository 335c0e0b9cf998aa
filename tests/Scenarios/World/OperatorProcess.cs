using Microsoft.Extensions.Logging;
using Opt.Kubernetes;
using Opt.Operator.Hosting;

namespace Opt.Scenarios.World;

/// <summary>One operator process, as far as one can be had in this one: own clock, own lines to API server and agents, and the real election of a leader.</summary>
internal sealed class OperatorProcess : IAsyncDisposable
{
    private readonly OperatorRuntime _runtime;
    private readonly KubernetesClient _client;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public OperatorProcess(int number, ClusterLink cluster, ScriptedAgents agents, WriteAudit audit, TimeProvider world, ILoggerFactory logs)
    {
        Clock = new(world);
        Link = new(cluster, Clock, audit, new Random(number));
        Agents = new(agents, Clock);
        _client = new(cluster.Host, Link, new() { FieldManager = "opt-operator", QueriesPerSecond = 1000, Burst = 1000, Random = () => 0.5 }, Clock);
        var random = new Random(7 + number);
        _runtime = new(new() { Workers = 1 }, _client, Agents, canActOnNodes: true, Clock, logs, random: () => { lock (random) return random.NextDouble(); });
        var elector = new LeaderElector(_client.Resource(Resources.Leases), new() { Lease = new("ml", "opt-operator"), Identity = $"operator-{number}", Random = () => 0.5 }, Clock, logs.CreateLogger<LeaderElector>());
        Elector = elector;
        _running = Task.Run(() => Task.WhenAll(_runtime.FollowAsync(_stop.Token), elector.RunAsync(_runtime.LeadAsync, _stop.Token)));
    }

    public ProcessClock Clock { get; }
    public OperatorLink Link { get; }
    public OperatorAgents Agents { get; }
    public LeaderElector Elector { get; }

    /// <summary>It reconciles, rightly or not.</summary>
    public bool Leads => _runtime.Leading is not null;

    /// <summary>SIGKILL: nothing more gets out. What is left of it here needs time to unwind.</summary>
    public async Task KillAsync(Func<Task> unwind)
    {
        Link.Cut();
        Agents.IsCut = true;
        Clock.Continue();
        await _stop.CancelAsync();
        await unwind();
        try
        {
            await _running;
        }
        catch (OperationCanceledException)
        {
            // it was told to
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _runtime.DisposeAsync();
        _client.Dispose();
        Link.Dispose();
        _stop.Dispose();
    }
}
