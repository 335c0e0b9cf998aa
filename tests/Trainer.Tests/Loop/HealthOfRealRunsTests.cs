using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Loop;
using Opt.Trainer.Stores;
using Opt.Trainer.Tests.Checkpoints;
using Opt.Trainer.Tests.Data;
using Xunit;

namespace Opt.Trainer.Tests.Loop;

/// <summary>Verdicts on the checkpoints of runs that truly train, and of one that truly diverges.</summary>
public sealed class HealthOfRealRunsTests : IDisposable
{
    private const int Every = 10, AfterSteps = 20, Untroubled = 100;
    private readonly TemporaryFolder _folder = new();
    private readonly TestDirectory _directory = new();
    private readonly DirectoryStore _store;

    public HealthOfRealRunsTests()
    {
        TinyRun.RequireTorch();
        TinyRun.WriteTokens(_folder);
        _store = _directory.Open();
    }

    public void Dispose()
    {
        _folder.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task All_of_an_untroubled_run_become_healthy_and_of_a_run_whose_rate_is_raised_those_behind_the_onset_never_do_and_are_condemned()
    {
        using var log = TestRun.Log(_store);
        await log.FenceAsync(3, adopt: false, default);
        Train(epoch: 3, resume: null, Untroubled, rate: 1);
        var good = (await log.ReadAsync(default)).Checkpoints.Values.ToArray();
        Assert.InRange(good.Length, 3, Untroubled / Every);   // one that is due while another is written comes late
        Assert.All(good, c => Assert.Equal((c.Commit.Step <= Untroubled - AfterSteps ? HealthVerdict.Healthy : HealthVerdict.Pending, null, 0L), (c.Verdict, c.Commit.Trouble, c.Commit.LastBadStep)));

        await log.FenceAsync(4, adopt: false, default);
        Train(epoch: 4, good[^1].ToSummary(), Untroubled + 60, rate: 1000);
        var after = await log.ReadAsync(default);
        var troubled = after.Checkpoints.Values.Where(c => c.Epoch == 4).ToArray();
        Assert.InRange(troubled.Length, 2, 6);
        Assert.All(troubled, c => Assert.NotEqual(HealthVerdict.Healthy, c.Verdict));
        Assert.All(troubled, c => Assert.InRange(c.Commit.LastBadStep, c.Commit.Step == troubled[0].Commit.Step ? 0 : Untroubled + 1, c.Commit.Step));
        Assert.Contains(troubled, c => c.Reason.Contains("loss", StringComparison.Ordinal));
        Assert.InRange(after.LastHealthy()!.Commit.Step, 1, Untroubled - 1);

        // As a policy does with the fence of its rollback.
        var condemned = await log.CondemnAfterAsync(4, Untroubled, "the rate was raised", default);
        Assert.All(condemned.Checkpoints.Values, c => Assert.Equal(c.Commit.Step > Untroubled, c.Verdict == HealthVerdict.Condemned));
        await log.FenceAsync(5, adopt: false, default);
        Train(epoch: 5, good[^1].ToSummary(), Untroubled + 60, rate: 1);
        var healed = (await log.ReadAsync(default)).Checkpoints.Values.Where(c => c.Epoch == 5 || c.Commit.Step == Untroubled).Where(c => c.Commit.Step <= Untroubled + 60 - AfterSteps).ToArray();
        Assert.InRange(healed.Length, 2, 5);
        Assert.All(healed, c => Assert.Equal(HealthVerdict.Healthy, c.Verdict));
    }

    private void Train(long epoch, CheckpointSummary? resume, int steps, double rate)
    {
        var config = TinyRun.Config(_folder.Path);
        var values = config.HyperParameters with { TotalSteps = steps, DecaySteps = 200, PeakLearningRate = config.HyperParameters.PeakLearningRate * rate, EndLearningRate = config.HyperParameters.EndLearningRate * rate };
        config = config with { HyperParameters = values, Checkpoint = config.Checkpoint with { Every = new() { Steps = Every }, Keep = new() { Last = 100 }, HealthyWhen = new() { AfterSteps = AfterSteps } } };
        var plan = new RunPlan
        {
            JobNamespace = "test", JobName = "test", JobUid = TestRun.JobUid, Epoch = epoch, Revision = 0, ParentEpoch = epoch - 1, CreatedAt = DateTimeOffset.UnixEpoch,
            Cause = new() { Id = "1", Reason = "Start", Message = "a test" },
            Members = [new() { Pod = "a", PodUid = "a", PodIp = "127.0.0.1", AgentInstance = "a", Node = "a" }],
            WorkersPerMember = 1, RendezvousPort = 0, TemplateRevision = "1", Training = config, Resume = resume,
        };
        var worker = new Worker(plan, 0, _folder.Path, new MemoryChannel { OnStep = record => LetItBeSaved(record, after: resume?.Step ?? 0) }, TimeProvider.System, _ => { }) { OpenStore = _ => _store };
        Assert.Equal(WorkerExit.Success, worker.Run());
    }

    /// <summary>These steps are shorter than a save on a busy machine: half-way to the next one, training waits for the last (at most a minute).</summary>
    private void LetItBeSaved(StepRecord record, long after)
    {
        var due = record.Step / Every * Every;
        if (due <= after || record.Step % Every != Every / 2) return;
        using var log = TestRun.Log(_store);
        using var pause = new ManualResetEventSlim();
        for (var turn = 0; turn < 3000 && !log.ReadAsync(default).GetAwaiter().GetResult().Checkpoints.Values.Any(c => c.Epoch == record.Epoch && c.Commit.Step >= due); turn++) pause.Wait(20);
    }
}
