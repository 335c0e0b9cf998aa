using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Tests.Data;
using Opt.Trainer.Tests.Loop;
using Xunit;

namespace Opt.Trainer.Tests.Reports;

public sealed class LogbookCommandTests : IDisposable
{
    private static readonly DateTimeOffset At = new(2026, 1, 1, 3, 0, 0, TimeSpan.Zero);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_logbook_of_a_store_is_printed_oldest_first_each_entry_once_with_its_outcome()
    {
        var ct = TestContext.Current.CancellationToken;
        LogbookEntry launched = new() { Time = At, Epoch = 1, Step = 0, Actor = "operator", What = "launched epoch 1", Why = "Start: first launch" };
        LogbookEntry fired = new() { Time = At.AddHours(1), Epoch = 1, Step = 250, Actor = "policy explosion", What = "roll back; learning rate x 0.9", Why = "loss not finite" };
        using (var log = new CommitLog(ThreadRanks.OpenStore(_folder["store"]), "job", "test", TimeProvider.System))
        {
            await log.FenceNextAsync(adopt: false, ct);
            await log.RecordAsync([fired, launched], ct);
            await log.RecordAsync([launched, fired with { Outcome = "trained on to step 400, loss 2.1, without another firing" }], ct);
            await log.RecordAsync([fired with { Outcome = "told again" }], ct);
        }

        using var process = TrainProcess.Start("logbook", "--store", _folder["store"]);
        var said = await process.StandardOutput.ReadToEndAsync(ct);
        await process.WaitForExitAsync(ct);
        Assert.Equal("""
            2026-01-01 03:00:00Z  epoch 1  step 0  operator: launched epoch 1
                Start: first launch
            2026-01-01 04:00:00Z  epoch 1  step 250  policy explosion: roll back; learning rate x 0.9
                loss not finite
                outcome: trained on to step 400, loss 2.1, without another firing

            """, said, ignoreLineEndingDifferences: true);
        Assert.Equal(0, process.ExitCode);
    }

    [Fact]
    public async Task A_folder_that_is_no_store_is_said_to_be_none()
    {
        using var process = TrainProcess.Start("logbook", "--store", _folder["nothing-here"]);
        var said = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.NotEqual(0, process.ExitCode);
        Assert.Contains("nothing-here", said, StringComparison.Ordinal);
    }
}
