using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>Scenarios played again with the operator's requests on real sockets: what holds in memory must hold over TLS and HTTP/2.</summary>
public sealed class OverHttpScenarios
{
    private static readonly LifecycleScenarios Lifecycle = new();

    // The first few always, the rest in a soak.
    private static readonly (string Name, Func<Task> Play)[] Scenarios =
    [
        (nameof(Lifecycle.A_job_goes_from_apply_to_succeeded_and_deleting_it_leaves_nothing), Lifecycle.A_job_goes_from_apply_to_succeeded_and_deleting_it_leaves_nothing),
        (nameof(Lifecycle.A_dead_node_is_cordoned_and_its_pod_replaced_elsewhere), Lifecycle.A_dead_node_is_cordoned_and_its_pod_replaced_elsewhere),
        (nameof(Lifecycle.A_failed_worker_is_relaunched_in_the_same_pods), Lifecycle.A_failed_worker_is_relaunched_in_the_same_pods),
        (nameof(Lifecycle.An_evicted_pod_leaves_its_evidence_and_its_node), Lifecycle.An_evicted_pod_leaves_its_evidence_and_its_node),
        (nameof(Lifecycle.Suspend_releases_the_pods_and_resume_goes_on_from_the_saved_step), Lifecycle.Suspend_releases_the_pods_and_resume_goes_on_from_the_saved_step),
    ];

    private const int Sample = 2;

    public static TheoryData<string> Names => [.. Scenarios.Take(Environment.GetEnvironmentVariable("OPT_SOAK") == "1" ? Scenarios.Length : Sample).Select(s => s.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public Task The_same_over_sockets(string scenario) => ClusterLink.OverHttpAsync(Scenarios.Single(s => s.Name == scenario).Play);

    [Fact]
    public Task An_operator_cut_off_from_the_API_server_touches_no_worker_and_goes_on_when_it_is_back() => ClusterLink.OverHttpAsync(() => Scenario.RunAsync(nodes: 2, async world =>
    {
        Assert.IsType<LoopbackTransport>(world.Link);
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        var before = await world.UntilAsync(s => s.Step >= 12);
        world.Link.Cut();
        await world.AdvanceAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(before.Step, (await world.StatusAsync()).Step, tolerance: 2);   // nobody could write it
        Assert.Equal(2, world.Agents.Launches);

        world.Link.Mend();
        var after = await world.UntilAsync(s => s.Step >= before.Step + 20, seconds: 60);
        Assert.Equal((1, 0), (after.Epoch, after.Restarts.Total));
    }));
}
