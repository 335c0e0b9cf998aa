using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>Scenarios played again with the operator's requests on real sockets: what holds in memory must hold over TLS and HTTP/2.</summary>
public sealed class OverHttpScenarios
{
    private static readonly LifecycleScenarios Lifecycle = new();
    private static readonly LadderScenarios Ladder = new();
    private static readonly DiagnosticsScenarios Diagnostics = new();
    private static readonly EditScenarios Edits = new();
    private static readonly OperatorDeathScenarios Deaths = new();
    private static readonly CheckpointScenarios Checkpoints = new();
    private static readonly DivergenceScenarios Divergence = new();

    // The first few always, the rest in a soak.
    private static readonly (string Name, Func<Task> Play)[] Scenarios =
    [
        (nameof(Lifecycle.A_job_goes_from_apply_to_succeeded_and_deleting_it_leaves_nothing), Lifecycle.A_job_goes_from_apply_to_succeeded_and_deleting_it_leaves_nothing),
        (nameof(Lifecycle.A_dead_node_is_cordoned_and_its_pod_replaced_elsewhere), Lifecycle.A_dead_node_is_cordoned_and_its_pod_replaced_elsewhere),
        (nameof(Lifecycle.A_failed_worker_is_relaunched_in_the_same_pods), Lifecycle.A_failed_worker_is_relaunched_in_the_same_pods),
        (nameof(Lifecycle.An_evicted_pod_leaves_its_evidence_and_its_node), Lifecycle.An_evicted_pod_leaves_its_evidence_and_its_node),
        (nameof(Lifecycle.Suspend_releases_the_pods_and_resume_goes_on_from_the_saved_step), Lifecycle.Suspend_releases_the_pods_and_resume_goes_on_from_the_saved_step),
        (nameof(Ladder.A_drain_waits_until_the_job_has_saved_and_moved_to_a_spare), Ladder.A_drain_waits_until_the_job_has_saved_and_moved_to_a_spare),
        (nameof(Ladder.A_node_put_aside_comes_back_when_its_time_is_over_though_the_job_is_gone), Ladder.A_node_put_aside_comes_back_when_its_time_is_over_though_the_job_is_gone),
        (nameof(Diagnostics.A_spare_whose_own_tests_fail_is_cordoned_and_replaced_while_training_goes_on), Diagnostics.A_spare_whose_own_tests_fail_is_cordoned_and_replaced_while_training_goes_on),
        (nameof(Diagnostics.A_node_that_breaks_collectives_without_a_sign_is_found_by_pair_tests), Diagnostics.A_node_that_breaks_collectives_without_a_sign_is_found_by_pair_tests),
        (nameof(Edits.A_live_edit_is_in_force_within_seconds_and_proved_by_the_trainer), Edits.A_live_edit_is_in_force_within_seconds_and_proved_by_the_trainer),
        (nameof(Edits.A_new_image_recreates_all_pods_in_one_transition_and_loses_no_step), Edits.A_new_image_recreates_all_pods_in_one_transition_and_loses_no_step),
        (nameof(Deaths.A_restarted_operator_finds_everything_again_and_touches_no_worker), Deaths.A_restarted_operator_finds_everything_again_and_touches_no_worker),
        (nameof(Checkpoints.Pinning_and_condemning_in_the_spec_reach_the_store_once_and_the_next_status_says_so), Checkpoints.Pinning_and_condemning_in_the_spec_reach_the_store_once_and_the_next_status_says_so),
        (nameof(Divergence.A_divergence_at_night_is_rolled_back_with_a_lower_learning_rate_and_written_down), Divergence.A_divergence_at_night_is_rolled_back_with_a_lower_learning_rate_and_written_down),
        (nameof(Deaths.An_operator_that_dies_after_any_of_its_writes_is_continued_by_the_next), () => Deaths.An_operator_that_dies_after_any_of_its_writes_is_continued_by_the_next(5)),
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
