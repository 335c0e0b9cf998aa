using Opt.Testing;
using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class TokenBucketTests
{
    [Fact]
    public void A_burst_goes_out_at_once_and_the_rest_at_the_rate()
    {
        var bucket = new TokenBucket(10, 3, new VirtualTime());
        Assert.Equal([0, 0, 0, 0.1, 0.2, 0.3], Enumerable.Range(0, 6).Select(_ => Math.Round(bucket.Reserve().TotalSeconds, 6)));
    }

    [Fact]
    public void Unused_permits_do_not_pile_up_beyond_the_burst() => Pump.Run(async settle =>
    {
        var clock = new VirtualTime();
        var bucket = new TokenBucket(10, 2, clock);
        await clock.AdvanceAsync(TimeSpan.FromHours(1), settle);
        Assert.True(bucket.TryTake());
        Assert.True(bucket.TryTake());
        Assert.False(bucket.TryTake());
    });

    [Fact]
    public void A_wait_that_is_cancelled_gives_its_permit_back() => Pump.Run(async settle =>
    {
        var clock = new VirtualTime();
        var bucket = new TokenBucket(1, 1, clock);
        await bucket.WaitAsync(default);
        using var impatient = new CancellationTokenSource();
        var first = bucket.WaitAsync(impatient.Token);
        impatient.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);

        var second = bucket.WaitAsync(default);
        await clock.AdvanceAsync(TimeSpan.FromSeconds(1), settle);
        Assert.True(second.IsCompleted);
    });
}
