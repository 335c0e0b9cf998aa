using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster.ApiServer;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>The agents' token: replaced while a job trains, and never said.</summary>
public sealed class SecretScenarios
{
    private static readonly ResourceId Secrets = new("", "v1", "secrets");

    private static readonly string Long = LifecycleScenarios.Manifest.Replace("totalTokens: 3840", "totalTokens: 640000", StringComparison.Ordinal);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public Task A_deleted_Secret_is_made_anew_and_the_new_token_spreads_while_the_job_trains_on() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(Long);
        await world.UntilAsync(s => s.Step >= 12);
        var first = await TokenAsync(world);
        var taken = first;
        world.Agents.Takes = target => target.Token == taken || target.FormerToken == taken;

        await world.Api.DeleteAsync(Secrets, "ml", "opt-agent", null, Scenario.User, Cancelled);
        await world.AdvanceAsync(TimeSpan.FromMinutes(6));
        var second = await TokenAsync(world);
        Assert.NotEqual(first, second);
        var lagging = await world.StatusAsync();   // no kubelet has brought it yet
        Assert.Equal((JobPhase.Running, 1L, 0), (lagging.Phase, lagging.Epoch, lagging.Restarts.Total));

        taken = second;
        await world.AdvanceAsync(TimeSpan.FromMinutes(1));
        var spread = await world.UntilAsync(s => s.Step > lagging.Step + 20);
        Assert.Equal((JobPhase.Running, 1L, 0), (spread.Phase, spread.Epoch, spread.Restarts.Total));
    });

    [Fact]
    public Task A_token_that_a_person_wrote_into_the_Secret_is_taken_up_as_soon_as_agents_ask_for_it() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(Long);
        var before = await world.UntilAsync(s => s.Step >= 12);

        await world.Api.PatchAsync(Secrets, "ml", "opt-agent", PatchKind.Merge, new JsonObject { ["data"] = new JsonObject { ["token"] = Convert.ToBase64String("chosen"u8) } }, Scenario.User, Cancelled);
        world.Agents.Takes = target => target.Token == "chosen";

        await world.AdvanceAsync(TimeSpan.FromSeconds(30));
        var after = await world.UntilAsync(s => s.Step > before.Step + 40);
        Assert.Equal((JobPhase.Running, 1L, 0), (after.Phase, after.Epoch, after.Restarts.Total));
    });

    [Fact]
    public Task No_log_line_of_the_operator_holds_a_token_or_a_key() => Scenario.RunAsync(nodes: 3, async world =>
    {
        using var log = new KeptLog();
        await world.KillOperatorAsync();
        world.LogTo = log;
        world.StartOperator();
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Step >= 12);
        world.Agents.Takes = _ => false;   // refusals are what gets logged
        await world.AdvanceAsync(TimeSpan.FromSeconds(30));
        world.Agents.Takes = _ => true;
        world.Nodes.Kill((await world.PlanAsync()).Members[1].Node);
        await world.UntilAsync(s => s.Phase == JobPhase.Succeeded);

        var secret = (await world.Api.GetAsync(Secrets, "ml", "opt-agent", Cancelled))["data"]!.AsObject();
        Assert.Equal(["tls.crt", "tls.key", "token"], secret.Select(d => d.Key).Order(StringComparer.Ordinal));
        Assert.Contains(log.Lines, l => l.Contains("does not answer", StringComparison.Ordinal));
        foreach (var held in secret.Where(d => d.Key != "tls.crt").Select(d => (string)d.Value!))
        {
            var plain = Encoding.UTF8.GetString(Convert.FromBase64String(held)).Trim();
            Assert.DoesNotContain(log.Lines, l => l.Contains(held, StringComparison.Ordinal) || l.Contains(plain, StringComparison.Ordinal));
        }
    });

    private static async Task<string> TokenAsync(Scenario world) =>
        Encoding.UTF8.GetString(Convert.FromBase64String((string)(await world.Api.GetAsync(Secrets, "ml", "opt-agent", Cancelled))["data"]!["token"]!));

    /// <summary>Keeps every line, whatever its level.</summary>
    private sealed class KeptLog : ILoggerFactory, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull
        {
            Lines.Enqueue($"{state}");
            return null;
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Lines.Enqueue($"{formatter(state, exception)} {exception}");

        public void Dispose()
        {
        }
    }
}
