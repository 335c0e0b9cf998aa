using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Loop;
using Opt.Trainer.Stores;
using Opt.Trainer.Tests.Checkpoints;
using Opt.Trainer.Tests.Data;
using Opt.Trainer.Tests.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Loop;

/// <summary>A run that goes on from step 10 ends with the very bits of a run that never stopped, wherever the bytes come from.</summary>
public sealed class ExactResumeTests : IDisposable
{
    private readonly Azurite _azurite;
    private readonly TemporaryFolder _folder = new();

    public ExactResumeTests(Azurite azurite)
    {
        _azurite = azurite;
        TinyRun.RequireTorch();
        TinyRun.WriteTokens(_folder);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("directory"), InlineData("azurite"), InlineData("node")]
    public async Task A_resumed_run_has_the_bits_of_an_unbroken_one(string from)
    {
        using var directory = new TestDirectory();
        await using var store = from == "azurite" ? await _azurite.OpenStoreAsync() : directory.Open();
        if (from == "node") Environment.SetEnvironmentVariable(TierEnvironment.FoldersVariable, _folder["copies"]);
        using var log = TestRun.Log(store);
        await log.FenceAsync(3, adopt: false, default);
        var unbroken = Train(store, epoch: 3, resume: null);
        var saved = (await log.ReadAsync(default)).ToCatalogue().Checkpoints;
        Assert.Equal([10L, 20L], saved.Select(c => c.Step));

        await log.FenceAsync(4, adopt: false, default);
        // From the node: the ranks' objects cannot be read from the store.
        var readable = from != "node" ? store : new FaultyStore(store, (verb, name) => verb == "range" && name.Contains("rank-", StringComparison.Ordinal) ? Fault.LostRequest : Fault.None);
        var resumed = Train(readable, epoch: 4, saved[0]);
        Environment.SetEnvironmentVariable(TierEnvironment.FoldersVariable, null);

        Assert.Equal(unbroken.Skip(10).Select(s => (s.Attempt, s.Loss, s.GradientNorm)), resumed.Select(s => (s.Attempt, s.Loss, s.GradientNorm)));
        var again = (await log.ReadAsync(default)).ToCatalogue().Checkpoints[^1];
        Assert.Equal((20L, 4L), (again.Step, again.Epoch));
        Assert.Equal(await DigestsAsync(store, saved[1]), await DigestsAsync(store, again));
    }

    private static async Task<IEnumerable<string>> DigestsAsync(ICheckpointStore store, CheckpointSummary summary) =>
        (await CheckpointReader.OpenAsync(store, summary, default)).Manifest.Objects.Select(o => o.Digest).ToArray();

    private List<StepRecord> Train(ICheckpointStore store, long epoch, CheckpointSummary? resume)
    {
        var config = TinyRun.Config(_folder.Path);
        config = config with { Checkpoint = config.Checkpoint with { Every = new() { Steps = 10 } } };
        var plan = new RunPlan
        {
            JobNamespace = "test", JobName = "test", JobUid = TestRun.JobUid, Epoch = epoch, Revision = 0, ParentEpoch = epoch - 1, CreatedAt = DateTimeOffset.UnixEpoch,
            Cause = new() { Id = "1", Reason = "Start", Message = "a test" },
            Members = [new() { Pod = "a", PodUid = "a", PodIp = "127.0.0.1", AgentInstance = "a", Node = "a" }],
            WorkersPerMember = 1, RendezvousPort = 0, TemplateRevision = "1", Training = config, Resume = resume,
        };
        var channel = new MemoryChannel();
        var worker = new Worker(plan, 0, _folder.Path, channel, TimeProvider.System, _ => { }) { OpenStore = _ => store };
        Assert.Equal(WorkerExit.Success, worker.Run());
        return [.. channel.Steps];
    }
}
