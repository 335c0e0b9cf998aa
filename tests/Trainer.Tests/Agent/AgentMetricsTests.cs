using Opt.Api.Protocol;
using Opt.Testing;
using Opt.Trainer.Agent.Http;
using Opt.Trainer.Tests.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Agent;

public sealed class AgentMetricsTests
{
    private static readonly AgentStatus Busy = new()
    {
        Instance = "i", JobUid = TestRun.JobUid, Pod = "opt-0", PodUid = "u", Node = "n", State = AgentState.Running, Epoch = 3, Store = new() { Reachable = true },
        Workers = [new() { Rank = 0, State = WorkerState.Training }, new() { Rank = 1, State = WorkerState.Restoring, RestoreProgress = 0.25 }],
        LastStep = new()
        {
            Epoch = 3, Revision = 1, Attempt = 12, Step = 11, Samples = 96, Tokens = 49152, Loss = null, LearningRate = 1e-4, LossScale = 4, GradientNorm = 0.7, ActivationNorm = 31, Skipped = true,
            Time = DateTimeOffset.UnixEpoch, Seconds = 2, TokensPerSecond = 2048, Timing = new() { Data = 0.1, Forward = 0.6, Backward = 1.1, ExposedCommunication = 0.1, Optimizer = 0.1 },
            HyperParameters = TestRun.HyperParameters, Saves = new(Committed: 5, InMemory: 7, Failed: 1, Skipped: 3, Late: 2), Validation = [new("kjv", 3.5)],
        },
    };

    [Fact]
    public async Task Promtool_finds_nothing_wrong_with_what_agents_expose()
    {
        var promtool = Command.Find("promtool");
        Assert.SkipWhen(promtool is null, "promtool is not installed (Debian package prometheus)");

        var said = await Command.RunAsync(promtool!, ["check", "metrics"], input: AgentMetrics.Render(Busy, plan: null));

        Assert.True(said.ExitCode == 0, said.Error + said.Output);
    }

    [Fact]
    public void A_loss_that_is_not_finite_is_NaN_and_every_part_of_a_step_is_named()
    {
        var text = AgentMetrics.Render(Busy, plan: null);

        Assert.Contains("\nopt_loss_nats NaN\n", text, StringComparison.Ordinal);
        Assert.Contains("\nopt_step_skipped 1\n", text, StringComparison.Ordinal);
        foreach (var part in new[] { "data", "forward", "backward", "communication", "optimizer", "checkpoint" }) Assert.Contains($"opt_step_part_seconds{{part=\"{part}\"}} ", text, StringComparison.Ordinal);
        Assert.Contains("opt_validation_loss_nats{index=\"0\"} 3.5\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Saves_are_counted_by_what_became_of_them()
    {
        var text = AgentMetrics.Render(Busy, plan: null);

        foreach (var (outcome, count) in new[] { ("committed", 5), ("memory", 7), ("failed", 1), ("skipped", 3), ("late", 2) }) Assert.Contains($"\nopt_checkpoint_saves{{outcome=\"{outcome}\"}} {count}\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("opt_checkpoint_saves", AgentMetrics.Render(Busy with { LastStep = Busy.LastStep! with { Saves = null } }, plan: null), StringComparison.Ordinal);
    }
}
