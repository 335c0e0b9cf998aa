using Opt.Api.Protocol;
using Opt.Trainer.Tests.Data;
using Opt.Trainer.Workers;
using Xunit;

namespace Opt.Trainer.Tests.Loop;

/// <summary>What real ranks write down while one of them keeps the other waiting.</summary>
public sealed class FlightTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public FlightTests()
    {
        TinyRun.RequireTorch();
        TinyRun.WriteTokens(_folder);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void While_one_rank_holds_the_others_up_their_pages_tell_which()
    {
        WorkerActivity? waits = null, holds = null;
        var patience = TimeProvider.System.GetTimestamp();
        ThreadRanks.Train(TinyRun.Config(_folder.Path), 2, flight: Open, afterBackward: (rank, attempt, _) =>
        {
            if (rank != 1 || attempt != 2) return;
            while (waits is not { Phase: "agreement", WaitsFor: not null, Collective: not null } && TimeProvider.System.GetElapsedTime(patience).TotalSeconds < 100) waits = Read(0);
            holds = Read(1);
        });

        Assert.Equal((2L, 2L, "agreement", "backward"), (waits!.Attempt, holds!.Attempt, waits.Phase, holds.Phase));
        Assert.Equal(("max", waits.Submitted), (waits.Collective, waits.WaitsFor));
        Assert.Null(holds.WaitsFor);
        Assert.Equal(holds.Submitted + 1, waits.Submitted);
    }

    private FlightRecorder Open(int rank)
    {
        FlightRecorder.Create(_folder[$"flight-{rank}"]);
        return FlightRecorder.Open(_folder[$"flight-{rank}"], TimeProvider.System);
    }

    private WorkerActivity? Read(int rank) => FlightRecorder.Read(_folder[$"flight-{rank}"], TimeProvider.System);
}
