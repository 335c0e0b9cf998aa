using Opt.Operator.Cluster;
using Opt.Planning;
using Opt.Testing;
using Xunit;

namespace Opt.Operator.Tests.Cluster;

public sealed class QuarantineGateTests
{
    private readonly VirtualTime _clock = new();
    private readonly HashSet<string> _quarantined = [];

    [Fact]
    public async Task However_many_jobs_ask_at_once_no_more_nodes_are_let_through_than_the_breaker_allows()
    {
        var gate = Gate(most: 5);
        var let = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(() => gate.TryEnter($"node-{i}"), TestContext.Current.CancellationToken)));
        Assert.Equal(5, let.Count(l => l));
        Assert.Equal(0, gate.Room());
    }

    [Fact]
    public void A_node_takes_one_place_whoever_asks_for_it_and_however_often()
    {
        var gate = Gate(most: 1);
        Assert.True(gate.TryEnter("node-1"));
        Assert.True(gate.TryEnter("node-1"));
        _quarantined.Add("node-1");
        Assert.True(gate.TryEnter("node-1"));
        Assert.False(gate.TryEnter("node-2"));
        _quarantined.Clear();   // given back
        Assert.True(gate.TryEnter("node-2"));
    }

    [Fact]
    public async Task A_refused_write_gives_its_place_back_and_one_whose_answer_was_lost_keeps_it_for_a_minute()
    {
        var gate = Gate(most: 1);
        Assert.True(gate.TryEnter("node-1"));
        gate.Leave("node-1");
        Assert.True(gate.TryEnter("node-2"));
        Assert.False(gate.TryEnter("node-3"));
        await _clock.AdvanceAsync(TimeSpan.FromSeconds(61), () => Task.CompletedTask);
        Assert.True(gate.TryEnter("node-3"));
    }

    private QuarantineGate Gate(int most) => new(() => (100, _quarantined), new QuarantineBreaker(most), _clock);
}
