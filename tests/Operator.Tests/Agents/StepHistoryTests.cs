using Opt.Operator.Agents;
using Opt.Testing;
using Xunit;

namespace Opt.Operator.Tests.Agents;

public sealed class StepHistoryTests
{
    private static readonly DateTimeOffset T0 = VirtualTime.Start;

    [Fact]
    public void Advance_counts_from_when_the_operator_began_to_look_and_moves_with_any_agents_attempt()
    {
        var history = new StepHistory(T0);
        Assert.Equal(T0, history.View(null, null, null).AdvancedAt);
        history.Advance(1, 5, T0.AddSeconds(9));
        history.Advance(1, 5, T0.AddSeconds(20));
        Assert.Equal(T0.AddSeconds(9), history.View(null, null, null).AdvancedAt);
    }

    [Fact]
    public void Records_are_given_to_the_ledger_until_it_has_them()
    {
        var history = new StepHistory(T0);
        for (var i = 1; i <= 3; i++) history.Add(Plans.Step(1, i, T0.AddSeconds(i)), T0.AddSeconds(i));
        Assert.Equal(3, history.View(null, null, null).New.Count);
        Assert.Equal([3L], history.View(T0.AddSeconds(2), null, null).New.Select(r => r.Attempt));
    }

    [Fact]
    public void A_record_seen_twice_or_out_of_order_is_no_news()
    {
        var history = new StepHistory(T0);
        Assert.True(history.Add(Plans.Step(2, 7, T0), T0));
        Assert.False(history.Add(Plans.Step(2, 7, T0), T0));
        Assert.False(history.Add(Plans.Step(1, 9, T0), T0));
    }

    [Fact]
    public void A_new_epoch_starts_a_new_median()
    {
        var history = new StepHistory(T0);
        for (var i = 1; i <= 5; i++) history.Add(Plans.Step(1, i, T0, seconds: 100), T0);
        history.Add(Plans.Step(2, 4, T0, seconds: 2), T0);
        Assert.Equal(2, history.View(null, null, null).MedianSeconds);
    }
}
