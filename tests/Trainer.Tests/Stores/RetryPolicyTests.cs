using Opt.Testing;
using Opt.Trainer.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Stores;

public sealed class RetryPolicyTests
{
    private readonly VirtualTime _time = new();
    private int _tries;

    [Fact]
    public async Task A_transient_fault_is_repeated_with_growing_pauses_until_it_works()
    {
        var policy = new RetryPolicy(new() { FirstDelay = TimeSpan.FromSeconds(1) }, _time, () => 1);
        var work = policy.ExecuteAsync("x", _ => ++_tries < 4 ? throw Fault(StoreFault.Transient) : Task.FromResult(42), default);
        Assert.Equal(42, await FinishAsync(work));
        Assert.Equal(4, _tries);
        Assert.InRange(_time.GetUtcNow() - VirtualTime.Start, TimeSpan.FromSeconds(2 + 4 + 8), TimeSpan.FromSeconds(60));
    }

    [Theory]
    [InlineData(StoreFault.NotFound)]
    [InlineData(StoreFault.Denied)]
    [InlineData(StoreFault.Full)]
    [InlineData(StoreFault.ReadOnly)]
    [InlineData(StoreFault.Damaged)]
    [InlineData(StoreFault.Permanent)]
    public async Task A_fault_that_a_retry_cannot_cure_is_thrown_at_once(StoreFault fault)
    {
        var policy = new RetryPolicy(new(), _time, () => 1);
        await Assert.ThrowsAsync<StoreException>(() => policy.ExecuteAsync<int>("x", _ => { _tries++; throw Fault(fault); }, default));
        Assert.Equal(1, _tries);
    }

    [Fact]
    public async Task A_try_without_an_answer_ends_at_its_deadline_and_counts_as_transient()
    {
        var policy = new RetryPolicy(new() { Attempts = 2, AttemptTimeout = TimeSpan.FromSeconds(5) }, _time, () => 0);
        var work = policy.ExecuteAsync("listing", async ct => { _tries++; await Task.Delay(Timeout.InfiniteTimeSpan, _time, ct); return 0; }, default);
        var error = await Assert.ThrowsAsync<StoreException>(() => FinishAsync(work));
        Assert.Equal(2, _tries);
        Assert.Equal("listing: no answer within 5 s", error.Message);
    }

    [Fact]
    public async Task An_empty_budget_stops_retries_of_all_requests()
    {
        var policy = new RetryPolicy(new() { Budget = 3, Attempts = 100 }, _time, () => 0);
        var work = policy.ExecuteAsync<int>("x", _ => { _tries++; throw Fault(StoreFault.Transient); }, default);
        await Assert.ThrowsAsync<StoreException>(() => FinishAsync(work));
        Assert.Equal(4, _tries);
    }

    [Fact]
    public void The_pause_a_service_asks_for_is_kept_within_the_longest()
    {
        var policy = new RetryPolicy(new() { FirstDelay = TimeSpan.FromSeconds(1), LongestDelay = TimeSpan.FromSeconds(10) }, _time, () => 0.5);
        Assert.Equal(TimeSpan.FromSeconds(7), policy.Delay(1, TimeSpan.FromSeconds(7)));
        Assert.Equal(TimeSpan.FromSeconds(10), policy.Delay(1, TimeSpan.FromSeconds(70)));
        Assert.Equal(TimeSpan.FromSeconds(5), policy.Delay(9, null));
    }

    private static StoreException Fault(StoreFault fault) => new(fault, "fault");

    /// <summary>Moves the clock in small steps, each after real time for the work to reach its next wait, until the work is done.</summary>
    private async Task<T> FinishAsync<T>(Task<T> work)
    {
        for (var step = 0; step < 10_000 && !work.IsCompleted; step++)
        {
            await Task.WhenAny(work, Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System));
            if (!work.IsCompleted) await _time.AdvanceAsync(TimeSpan.FromSeconds(1), () => Task.CompletedTask);
        }

        return await work;
    }
}
