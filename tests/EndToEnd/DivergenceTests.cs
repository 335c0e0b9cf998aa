using Xunit;

namespace Opt.EndToEnd;

/// <summary>
/// Training that truly diverges, on real workers: with policies it recovers, each time in another way; without it does not; in Shadow it only
/// records. Run with OPT_SOAK=1; pictures go to the folder named by OPT_PICTURES.
/// </summary>
public sealed class DivergenceTests : IAsyncLifetime
{
    private const string NeedsSoak = "set OPT_SOAK=1";
    private LocalSystem _system = null!;
    private DivergenceDrill _drill = null!;

    public static bool Soaks => Environment.GetEnvironmentVariable("OPT_SOAK") == "1";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _system = await LocalSystem.StartAsync(nodes: 4, Cancelled);
        _drill = new(_system);
    }

    public ValueTask DisposeAsync() => _system.DisposeAsync();

    /// <summary>What a run ends at when nothing happens to it, over what moves that: seed, order of the data, precision, workers.</summary>
    [Theory(SkipUnless = nameof(Soaks), Skip = NeedsSoak)]
    [InlineData("clean, seed 1", "", "", 2)]
    [InlineData("clean, seed 2", "seed: 1", "seed: 2", 2)]
    [InlineData("clean, seed 3", "seed: 1", "seed: 3", 2)]
    [InlineData("clean, data in file order", "root: /data", "root: /data\n    order: sequential", 2)]
    [InlineData("clean, fp16", "precision: fp32", "precision: fp16\n    lossScale: {initial: 1024, window: 1000}", 2)]
    [InlineData("clean, four workers", "", "", 4)]
    public async Task An_untroubled_run_ends_at_the_loss_that_the_others_are_held_to_and_no_policy_fires(string name, string part, string instead, int nodes)
    {
        var manifest = DivergenceDrill.Manifest("Enforce", nodes);
        await _drill.ApplyAsync(part.Length == 0 ? manifest : manifest.Replace(part, instead, StringComparison.Ordinal));
        await _drill.EndedAsync("Enforce");
        var (status, loss) = (await _drill.StatusAsync(), await _drill.LossAsync());
        await _drill.ReportAsync(name, "Enforce", loss);
        Assert.InRange(loss, DivergenceDrill.Clean - 0.8, DivergenceDrill.Clean);
        Assert.Equal((1, 0), ((int)status["epoch"]!, status["divergencePolicies"]!.AsArray().Sum(p => (int)p!["firings"]!)));
    }

    [Theory(SkipUnless = nameof(Soaks), Skip = NeedsSoak)]
    [InlineData("Enforce", 2), InlineData("Enforce", 4), InlineData("Shadow", 2), InlineData("", 2)]
    public async Task A_learning_rate_a_thousand_times_too_high_is_lowered_after_a_rollback_where_a_policy_may_act(string mode, int nodes)
    {
        await _drill.ApplyAsync(DivergenceDrill.Manifest(mode, nodes));
        await _drill.StepReachedAsync(DivergenceDrill.Untroubled);
        await _drill.EditAsync("""{"learningRate":{"peak":3.0}}""");

        if (await _drill.AssertEndAsync($"rate too high, {nodes} workers", mode, "explosion") is { } status) Assert.Equal((2, "policy explosion"), ((int)status["epoch"]!, DivergenceDrill.SetBy(status, "peakLearningRate")));
    }

    [Theory(SkipUnless = nameof(Soaks), Skip = NeedsSoak)]
    [InlineData("Enforce"), InlineData("Shadow"), InlineData("")]
    public async Task A_poisoned_stretch_of_the_corpus_is_skipped_by_a_policy_and_read_to_the_end_without(string mode)
    {
        await _drill.PoisonAsync(fromStep: 40, steps: 20);
        await _drill.ApplyAsync(DivergenceDrill.Manifest(mode).Replace("- learningRate: {multiply: 0.001, floor: 1.0e-4}", "- skipData: {alsoNext: 20}", StringComparison.Ordinal)
            .Replace("root: /data", "root: /checkpoints/data\n    order: sequential", StringComparison.Ordinal));

        if (await _drill.AssertEndAsync("poisoned data", mode, "explosion") is { } status) Assert.Equal((2, "spec"), ((int)status["epoch"]!, DivergenceDrill.SetBy(status, "peakLearningRate")));
    }

    [Theory(SkipUnless = nameof(Soaks), Skip = NeedsSoak)]
    [InlineData("Enforce"), InlineData("Shadow"), InlineData("")]
    public async Task An_overflow_storm_ends_when_a_policy_resets_the_loss_scale_and_not_before(string mode)
    {
        await _drill.ApplyAsync(DivergenceDrill.Manifest(mode).Replace("precision: fp32", "precision: fp16\n    lossScale: {initial: 1024, window: 1000}", StringComparison.Ordinal));
        await _drill.StepReachedAsync(DivergenceDrill.Untroubled);
        // The scale doubles at every step until gradients overflow, and may not come down again.
        await _drill.EditAsync("""{"lossScale":{"window":1,"floor":16777216}}""");

        // The policy acts after 20 attempts.
        if (await _drill.AssertEndAsync("overflow storm", mode, "overflow-storm") is { } status) Assert.Equal(("policy overflow-storm", "spec", 1), (DivergenceDrill.SetBy(status, "lossScaleFloor"), DivergenceDrill.SetBy(status, "peakLearningRate"), (int)status["epoch"]!));
    }

    [Theory(SkipUnless = nameof(Soaks), Skip = NeedsSoak)]
    [InlineData("Enforce"), InlineData("Shadow"), InlineData("")]
    public async Task A_bit_flipped_in_one_workers_weights_costs_its_node_and_no_hyper_parameter_where_a_policy_may_act(string mode)
    {
        await _drill.ApplyAsync(DivergenceDrill.Manifest(mode).Replace("            env:\n", "            env:\n              - {name: OPT_FAULT_FOLDER, value: /checkpoints/faults}\n", StringComparison.Ordinal));
        await _drill.StepReachedAsync(DivergenceDrill.Untroubled);
        await _drill.FlipBitAsync(rank: 1);

        if (await _drill.AssertEndAsync("flipped bit", mode, "explosion") is not { } status) return;
        Assert.Equal((1, "spec"), (status["nodes"]!["quarantined"]?.AsArray().Count ?? 0, DivergenceDrill.SetBy(status, "peakLearningRate")));
        Assert.Equal("DivergenceHardware", (string?)Assert.Single(status["restarts"]!["byCause"]!.AsArray())!["cause"]);
    }
}
