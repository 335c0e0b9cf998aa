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

    [Fact(SkipUnless = nameof(Soaks), Skip = NeedsSoak)]
    public async Task An_untroubled_run_ends_at_the_loss_that_the_others_are_held_to_and_no_policy_fires()
    {
        await _drill.ApplyAsync(DivergenceDrill.Manifest("Enforce"));
        await _drill.EndedAsync();
        Assert.InRange(await _drill.LossAsync("clean"), DivergenceDrill.Clean - 0.8, DivergenceDrill.Clean);
        var status = await _drill.StatusAsync();
        Assert.Equal((1, 0), ((int)status["epoch"]!, status["divergencePolicies"]!.AsArray().Sum(p => (int)p!["firings"]!)));
    }

    [Fact(SkipUnless = nameof(Soaks), Skip = NeedsSoak)]
    public Task A_learning_rate_a_thousand_times_too_high_is_rolled_back_and_lowered() => RateAsync("Enforce");

    [Theory(SkipUnless = nameof(Soaks), Skip = NeedsSoak)]
    [InlineData("Shadow"), InlineData("")]
    public Task A_learning_rate_a_thousand_times_too_high_stays_when_no_policy_may_act(string mode) => RateAsync(mode);

    [Fact(SkipUnless = nameof(Soaks), Skip = NeedsSoak)]
    public Task Four_workers_recover_from_it_too() => RateAsync("Enforce", nodes: 4);

    [Theory(SkipUnless = nameof(Soaks), Skip = NeedsSoak)]
    [InlineData("Enforce"), InlineData("Shadow"), InlineData("")]
    public async Task A_poisoned_stretch_of_the_corpus_is_skipped_by_a_policy_and_read_to_the_end_without(string mode)
    {
        await _drill.PoisonAsync(fromStep: 40, steps: 20);
        await _drill.ApplyAsync(DivergenceDrill.Manifest(mode).Replace("- learningRate: {multiply: 0.001, floor: 1.0e-4}", "- skipData: {alsoNext: 20}", StringComparison.Ordinal)
            .Replace("root: /data", "root: /checkpoints/data\n    order: sequential", StringComparison.Ordinal));
        await _drill.EndedAsync();

        var (status, loss) = (await _drill.StatusAsync(), await _drill.LossAsync(Name("poison", mode)));
        Assert.Equal(mode == "Enforce", loss < DivergenceDrill.Clean + DivergenceDrill.Margin);
        Assert.Equal((mode == "Enforce" ? 2 : 1, "spec"), ((int)status["epoch"]!, DivergenceDrill.SetBy(status, "peakLearningRate")));
        Assert.Equal((mode.Length > 0, mode == "Shadow"), DivergenceDrill.Logbook(status, "explosion"));
        if (mode == "Enforce") await _drill.OutageAsync("poisoned data");
    }

    [Theory(SkipUnless = nameof(Soaks), Skip = NeedsSoak)]
    [InlineData("Enforce"), InlineData("Shadow"), InlineData("")]
    public async Task An_overflow_storm_ends_when_a_policy_resets_the_loss_scale_and_not_before(string mode)
    {
        await _drill.ApplyAsync(DivergenceDrill.Manifest(mode).Replace("precision: fp32", "precision: fp16\n    lossScale: {initial: 1024, window: 1000}", StringComparison.Ordinal));
        await _drill.StepReachedAsync(DivergenceDrill.Untroubled);
        // The scale doubles at every step until gradients overflow, and may not come down again.
        await _drill.EditAsync("""{"lossScale":{"window":1,"floor":16777216}}""");
        if (mode == "Enforce") await _drill.EndedAsync();
        else await _drill.StuckForAsync(60);

        var status = await _drill.StatusAsync();
        Assert.Equal((mode.Length > 0, mode == "Shadow"), DivergenceDrill.Logbook(status, "overflow-storm"));
        Assert.Equal((mode == "Enforce" ? "policy overflow-storm" : "spec", "spec", 1), (DivergenceDrill.SetBy(status, "lossScaleFloor"), DivergenceDrill.SetBy(status, "peakLearningRate"), (int)status["epoch"]!));
        if (mode != "Enforce") return;
        Assert.InRange(await _drill.LossAsync(Name("overflow-storm", mode)), 0, DivergenceDrill.Clean + DivergenceDrill.Margin);
        await _drill.OutageAsync("overflow storm");
    }

    [Theory(SkipUnless = nameof(Soaks), Skip = NeedsSoak)]
    [InlineData("Enforce"), InlineData("Shadow"), InlineData("")]
    public async Task A_bit_flipped_in_one_workers_weights_costs_its_node_and_no_hyper_parameter_where_a_policy_may_act(string mode)
    {
        await _drill.ApplyAsync(DivergenceDrill.Manifest(mode).Replace("          - name: trainer\n", "          - name: trainer\n            env:\n              - {name: OPT_FAULT_FOLDER, value: /checkpoints/faults}\n", StringComparison.Ordinal));
        await _drill.StepReachedAsync(DivergenceDrill.Untroubled);
        await _drill.FlipBitAsync(rank: 1);
        if (mode == "Enforce") await _drill.EndedAsync();
        else await _drill.StuckForAsync(30);

        var status = await _drill.StatusAsync();
        Assert.Equal((mode.Length > 0, mode == "Shadow"), DivergenceDrill.Logbook(status, "explosion"));
        Assert.Equal((mode == "Enforce" ? 1 : 0, "spec"), (status["nodes"]!["quarantined"]?.AsArray().Count ?? 0, DivergenceDrill.SetBy(status, "peakLearningRate")));
        if (mode != "Enforce") return;
        Assert.Equal("DivergenceHardware", (string?)Assert.Single(status["restarts"]!["byCause"]!.AsArray())!["cause"]);
        Assert.InRange(await _drill.LossAsync(Name("bit-flip", mode)), 0, DivergenceDrill.Clean + DivergenceDrill.Margin);
        await _drill.OutageAsync("flipped bit");
    }

    private async Task RateAsync(string mode, int nodes = 2)
    {
        await _drill.ApplyAsync(DivergenceDrill.Manifest(mode, nodes));
        await _drill.StepReachedAsync(DivergenceDrill.Untroubled);
        await _drill.EditAsync("""{"learningRate":{"peak":3.0}}""");
        // Without a policy that acts it may never come to an end.
        if (mode == "Enforce") await _drill.EndedAsync();
        else await _drill.UntilAsync("twenty more steps, or none any more", s => (long?)s["step"] >= DivergenceDrill.Untroubled + 25 || (int?)s["restarts"]?["total"] > 0);

        var status = await _drill.StatusAsync();
        Assert.Equal((mode.Length > 0, mode == "Shadow"), DivergenceDrill.Logbook(status, "explosion"));
        if (mode == "Enforce") Assert.Equal((2, "policy explosion"), ((int)status["epoch"]!, DivergenceDrill.SetBy(status, "peakLearningRate")));
        var loss = mode == "Enforce" ? await _drill.LossAsync(Name($"rate-{nodes}-workers", mode)) : (double?)status["loss"] ?? double.PositiveInfinity;
        Assert.Equal(mode == "Enforce", loss < DivergenceDrill.Clean + DivergenceDrill.Margin);
        if (mode == "Enforce") await _drill.OutageAsync($"rate too high, {nodes} workers");
    }

    private static string Name(string what, string mode) => $"{what}-{(mode.Length == 0 ? "no-policies" : mode.ToLowerInvariant())}";
}
