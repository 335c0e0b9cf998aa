using Xunit;

namespace Opt.LocalCluster.Tests.ApiServer.Replay;

/// <summary>The measure of the local cluster: it answers what a real Kubernetes 1.36 answered. Exceptions are in the scripts, each with its reason.</summary>
public sealed class TranscriptTests
{
    [Theory]
    [InlineData("objects", 57)]
    [InlineData("custom-resources", 33)]
    [InlineData("discovery", 17)]
    [InlineData("watch", 10)]
    [InlineData("access", 3)]
    [InlineData("admission", 9)]
    [InlineData("statefulsets", 28)]
    [InlineData("pods-and-nodes", 28)]
    [InlineData("node-failure", 22)]
    public async Task The_cluster_answers_as_recorded(string scenario, int steps)
    {
        await using var server = await ReplayServer.StartAsync();
        await PlayAsync(server, scenario, steps);
    }

    /// <summary>Two scenarios with every test run, all with <c>OPT_SOAK=1</c>.</summary>
    public static TheoryData<string, int> FromOutside => Environment.GetEnvironmentVariable("OPT_SOAK") == "1"
        ? new() { { "node-failure", 22 }, { "objects", 57 }, { "custom-resources", 33 }, { "discovery", 17 }, { "watch", 10 }, { "access", 3 }, { "admission", 9 }, { "statefulsets", 28 }, { "pods-and-nodes", 28 } }
        : new() { { "access", 3 }, { "admission", 9 } };

    [Theory]
    [MemberData(nameof(FromOutside))]
    public async Task So_does_opt_local_up_from_outside_in_real_time(string scenario, int steps)
    {
        // Played slower than it was recorded: only where nodes are to fail may their heartbeats be missed.
        await using var server = await ReplayServer.StartProcessAsync(scenario == "node-failure" ? "8s" : "40s", TestContext.Current.CancellationToken);
        await PlayAsync(server, scenario, steps);
    }

    private static async Task PlayAsync(ReplayServer server, string scenario, int steps)
    {
        var script = ScriptOf(scenario, server);
        var results = await new Replayer(server, Transcript.Load(scenario), script).PlayAsync();

        var differing = results.Where(r => r.StatusDifference is not null || r.BodyDifference is not null).ToArray();
        TestContext.Current.TestOutputHelper?.WriteLine($"{scenario}: {results.Count(r => r.StatusDifference is null)}/{steps} statuses, {results.Count(r => r.BodyDifference is null)}/{steps} bodies");
        foreach (var (step, (reason, _)) in script.Exceptions) TestContext.Current.TestOutputHelper?.WriteLine($"  not compared in full: {step} ({results[step].Step.Name}): {reason}");
        Assert.Equal(steps, results.Count);
        Assert.True(differing.Length == 0, string.Join("\n", differing.Select(d => d.ToString())));
    }

    private static Script ScriptOf(string scenario, ReplayServer server) => scenario switch
    {
        "objects" => new ObjectsScript(server),
        "custom-resources" => new CustomResourcesScript(server),
        "discovery" => new DiscoveryScript(server),
        "watch" => new WatchScript(server),
        "access" => new AccessScript(server),
        "admission" => new AdmissionScript(server),
        "statefulsets" => new StatefulSetsScript(server),
        "pods-and-nodes" => new PodsAndNodesScript(server),
        "node-failure" => new NodeFailureScript(server),
        _ => throw new ArgumentOutOfRangeException(nameof(scenario), scenario, "no such transcript"),
    };
}
