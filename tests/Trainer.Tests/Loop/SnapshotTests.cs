using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Tests.Data;
using Xunit;

namespace Opt.Trainer.Tests.Loop;

/// <summary>The state is copied while forward and backward of the next attempt run.</summary>
public sealed class SnapshotTests : IDisposable
{
    private const int Saved = 4, Whole = 6;
    private readonly TemporaryFolder _folder = new();
    private readonly TrainingConfig _config;

    public SnapshotTests()
    {
        TinyRun.RequireTorch();
        TinyRun.WriteTokens(_folder);
        var config = TinyRun.Config(_folder.Path);
        _config = config with { Checkpoint = config.Checkpoint with { Every = new() { Steps = Saved } } };
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1), InlineData(2)]
    public async Task A_checkpoint_copied_beside_the_next_attempt_has_the_bits_of_its_own_step(int worldSize)
    {
        ThreadRanks.Train(Steps(Saved), worldSize, store: _folder["straight"]);

        // The copy of step 4 begins after the backward pass of attempt 5 and takes its time: an update that does not wait for it is in it.
        var backward = Enumerable.Range(0, worldSize).Select(_ => new ManualResetEventSlim()).ToArray();
        ThreadRanks.Train(Steps(Whole), worldSize, store: _folder["beside"],
            afterBackward: (rank, attempt, _) => { if (attempt == Saved + 1) backward[rank].Set(); },
            buffers: (rank, buffer) => buffer with { Read = destination => ReadAfter(backward[rank], buffer, destination) });

        Assert.Equal(await DigestsAsync("straight"), await DigestsAsync("beside"));
    }

    [Fact]
    public void A_copy_that_fails_ends_the_run_whether_an_attempt_follows_or_not()
    {
        foreach (var last in new[] { Saved, Whole })
        {
            var failure = Record.Exception(() => ThreadRanks.Train(Steps(last), 1, store: _folder["failing"], buffers: (_, buffer) => buffer with { Read = _ => throw new InvalidOperationException("unreadable") }));
            Assert.Contains("unreadable", failure?.ToString() ?? "none", StringComparison.Ordinal);
        }
    }

    private static void ReadAfter(ManualResetEventSlim backward, StateBuffer buffer, Span<float> destination)
    {
        if (!backward.Wait(TimeSpan.FromMinutes(1))) throw new TimeoutException("the attempt waits for the copy");
        var before = new float[buffer.Length];
        var now = new float[buffer.Length];
        buffer.Read(before);
        // Until an update shows that should have waited, or long enough for one to show.
        SpinWait.SpinUntil(() =>
        {
            buffer.Read(now);
            return !now.AsSpan().SequenceEqual(before);
        }, TimeSpan.FromMilliseconds(50));
        now.CopyTo(destination);
    }

    private TrainingConfig Steps(long total) => _config with { HyperParameters = _config.HyperParameters with { TotalSteps = total } };

    private async Task<string[]> DigestsAsync(string folder)
    {
        var store = ThreadRanks.OpenStore(_folder[folder]);
        using var log = new CommitLog(store, "test", "test", TimeProvider.System);
        var saved = (await log.ReadAsync(TestContext.Current.CancellationToken)).ToCatalogue().Checkpoints.Single(c => c.Step == Saved);
        return [.. (await CheckpointReader.OpenAsync(store, saved, TestContext.Current.CancellationToken)).Manifest.Objects.Select(o => o.Digest)];
    }
}
