using Xunit;

namespace Opt.Planning.Tests;

public sealed class MemoryTests
{
    private static readonly DateTimeOffset s_now = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(37, 0)]
    [InlineData(-37, -37)]
    public void After_the_clock_was_set_back_what_is_remembered_from_later_begins_now_and_the_rest_stays(int minutes, int expected)
    {
        var (at, then) = (s_now.AddMinutes(minutes), s_now.AddMinutes(expected));
        var incident = new Incident { Epoch = 1, CauseId = "hang-1-7", Reason = "Hang", Severity = Severity.Process, Message = "no step", DetectedAt = at };

        var memory = new Memory
        {
            Incident = incident, ShortSince = at, BehindAt = at, DepartingSince = at, MoreSince = at, Drain = new(1, at, "a node is drained"), Fence = new() { Epoch = 2, Pod = "opt-0", At = at, Error = "a higher epoch is fenced" },
        }.AsOf(s_now);

        Assert.Equal([then, then, then, then, then, then, then], [memory.Incident!.DetectedAt, memory.ShortSince!.Value, memory.BehindAt!.Value, memory.DepartingSince!.Value, memory.MoreSince!.Value, memory.Drain!.Since, memory.Fence!.At]);
        Assert.Equal(incident with { DetectedAt = then }, memory.Incident);
        Assert.Equal("a higher epoch is fenced", memory.Fence.Error);
    }
}
