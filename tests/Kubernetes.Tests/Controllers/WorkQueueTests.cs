using FsCheck;
using FsCheck.Fluent;
using Opt.Testing;
using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class WorkQueueTests
{
    private static readonly WorkQueueOptions Exact = new() { Backoff = TimeSpan.FromMilliseconds(100), BackoffCap = TimeSpan.FromSeconds(10), Random = () => 1 };

    [Fact]
    public void A_key_that_is_added_twice_is_handed_out_once() => Test(async (queue, _, _) =>
    {
        queue.Add("a");
        queue.Add("a");
        Assert.Equal("a", await queue.TakeAsync(default));
        Assert.Equal(0, queue.Count);
        Assert.False(queue.TakeAsync(default).IsCompleted);
    });

    [Theory]
    [InlineData(10, 3)]
    [InlineData(3, 10)]
    public void Of_two_times_the_sooner_wins(int first, int second) => Test(async (queue, clock, settle) =>
    {
        queue.Add("a", TimeSpan.FromSeconds(first));
        queue.Add("a", TimeSpan.FromSeconds(second));
        var taken = queue.TakeAsync(default);
        await clock.AdvanceAsync(TimeSpan.FromSeconds(2.9), settle);
        Assert.False(taken.IsCompleted);
        await clock.AdvanceAsync(TimeSpan.FromSeconds(0.1), settle);
        Assert.True(taken.IsCompleted);
        queue.Done("a");
        Assert.Equal(0, queue.Count);   // the later entry is not a second one
    });

    [Fact]
    public void A_key_added_while_it_is_worked_on_comes_back_exactly_once_and_only_after_it_is_done() => Test(async (queue, _, settle) =>
    {
        queue.Add("a");
        await queue.TakeAsync(default);
        queue.Add("a");
        queue.Add("a");
        var again = queue.TakeAsync(default);
        await settle();
        Assert.False(again.IsCompleted);

        queue.Done("a");
        await settle();
        Assert.True(again.IsCompleted);
        queue.Done("a");
        Assert.Equal(0, queue.Count);
    });

    [Fact]
    public void Backoff_doubles_up_to_its_cap_and_is_forgotten_on_success() => Test(async (queue, clock, settle) =>
    {
        var waits = new List<double>();
        for (var failure = 0; failure < 9; failure++)
        {
            queue.Add("a");
            await queue.TakeAsync(default);
            waits.Add(queue.Failed("a").TotalSeconds);
            await clock.AdvanceAsync(TimeSpan.FromSeconds(waits[^1]), settle);
        }

        Assert.Equal([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10], waits);
        queue.Done(await queue.TakeAsync(default));
        queue.Add("a");
        await queue.TakeAsync(default);
        Assert.Equal(0.1, queue.Failed("a").TotalSeconds);
    });

    [Fact]
    public void Backoff_is_per_key() => Test(async (queue, _, _) =>
    {
        queue.Add("a");
        for (var i = 0; i < 3; i++)
        {
            await queue.TakeAsync(default);
            queue.Failed("a");
            queue.Add("a");
        }

        queue.Add("b");
        await queue.TakeAsync(default);
        await queue.TakeAsync(default);
        Assert.Equal(0.1, queue.Failed("b").TotalSeconds);
    });

    [Fact]
    public void A_failing_key_that_changed_meanwhile_comes_back_within_a_second_but_not_at_once() => Test(async (queue, _, _) =>
    {
        for (var failure = 0; failure < 8; failure++)
        {
            queue.Add("a");
            await queue.TakeAsync(default);
            queue.Failed("a");
        }

        queue.Add("a");
        await queue.TakeAsync(default);
        queue.Add("a");
        Assert.Equal(1, queue.Failed("a").TotalSeconds);
    });

    [Fact]
    public void Many_keys_that_fail_together_come_back_at_the_retry_rate() => Test(async (queue, _, _) =>
    {
        var last = TimeSpan.Zero;
        for (var i = 0; i < 150; i++)
        {
            queue.Add($"k{i}");
            last = queue.Failed(await queue.TakeAsync(default));
        }

        Assert.Equal(5, last.TotalSeconds, 3);   // 100 at once, the other 50 at ten a second
    });

    [Fact]
    public void A_requeue_comes_back_at_its_time() => Test(async (queue, clock, settle) =>
    {
        queue.Add("a");
        queue.Done(await queue.TakeAsync(default), Requeue.In(TimeSpan.FromMinutes(5)));
        var taken = queue.TakeAsync(default);
        await clock.AdvanceAsync(TimeSpan.FromMinutes(5) - TimeSpan.FromMilliseconds(1), settle);
        Assert.False(taken.IsCompleted);
        await clock.AdvanceAsync(TimeSpan.FromMilliseconds(1), settle);
        Assert.Equal("a", await taken);
    });

    [Fact]
    public void A_taker_that_gave_up_loses_no_key() => Test(async (queue, _, settle) =>
    {
        using var impatient = new CancellationTokenSource();
        var abandoned = queue.TakeAsync(impatient.Token);
        impatient.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => abandoned);

        queue.Add("a");
        await settle();
        Assert.Equal("a", await queue.TakeAsync(default));
    });

    [Fact]
    public void Idle_means_nothing_due_and_nothing_running() => Test(async (queue, clock, settle) =>
    {
        Assert.True(queue.IdleAsync(default).IsCompleted);
        queue.Add("later", TimeSpan.FromSeconds(1));
        Assert.True(queue.IdleAsync(default).IsCompleted);
        queue.Add("now");
        var idle = queue.IdleAsync(default);
        var key = await queue.TakeAsync(default);
        await settle();
        Assert.False(idle.IsCompleted);
        queue.Done(key);
        await settle();
        Assert.True(idle.IsCompleted);
        await clock.AdvanceAsync(TimeSpan.FromSeconds(1), settle);
        Assert.False(queue.IdleAsync(default).IsCompleted);
    });

    [Fact]
    public void Ending_a_key_that_is_not_worked_on_is_a_fault_of_the_caller() => Test((queue, _, _) =>
    {
        Assert.Throws<InvalidOperationException>(() => queue.Done("a"));
        return Task.CompletedTask;
    });

    [Fact]
    public void Under_any_schedule_no_key_runs_twice_at_once_none_is_lost_and_none_comes_early() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed => Test((queue, clock, settle) => PlayAsync(queue, clock, settle, new Random(seed))))
            .Check(Soak.Runs(200, 10_000));

    /// <summary>Random adds, takes, successes and failures, compared with the plainest model: a due time per key.</summary>
    private static async Task PlayAsync(WorkQueue<string> queue, VirtualTime clock, Func<Task> settle, Random random)
    {
        var wanted = new Dictionary<string, DateTimeOffset>();   // when each key may be handed out at the latest wish
        var running = new List<string>();
        var takers = new List<Task<string>>();
        for (var turn = 0; turn < 200; turn++)
        {
            switch (random.Next(5))
            {
                case 0:
                    var (key, after) = ($"k{random.Next(5)}", TimeSpan.FromMilliseconds(random.Next(3) * 500));
                    queue.Add(key, after);
                    Wish(key, after);
                    break;
                case 1 when takers.Count < 3:
                    takers.Add(queue.TakeAsync(default));
                    break;
                case 2 when running.Count > 0:
                    var done = Pick();
                    var next = random.Next(2) == 0 ? Requeue.WhenChanged : Requeue.In(TimeSpan.FromSeconds(1));
                    queue.Done(done, next);
                    if (next.After is { } delay) Wish(done, delay);
                    break;
                case 3 when running.Count > 0:
                    var failed = Pick();
                    wanted.Remove(failed);   // the back-off decides alone
                    Wish(failed, queue.Failed(failed));
                    break;
                default:
                    await clock.AdvanceAsync(TimeSpan.FromMilliseconds(random.Next(700)), settle);
                    break;
            }

            await settle();
            Collect();
        }

        // In the end everything that was wished for is handed out.
        while (running.Count > 0) queue.Done(Pick());
        await clock.AdvanceAsync(TimeSpan.FromMinutes(5), settle);
        Collect();
        while (wanted.Count > 0)
        {
            while (running.Count > 0) queue.Done(Pick());
            if (takers.Count == 0) takers.Add(queue.TakeAsync(default));
            await settle();
            var before = wanted.Count;
            Collect();
            Assert.True(wanted.Count < before, $"never handed out: {string.Join(", ", wanted.Keys)}");
        }

        Assert.Equal(0, queue.Count);

        void Wish(string key, TimeSpan after)
        {
            var due = clock.GetUtcNow() + after;
            if (!wanted.TryGetValue(key, out var sooner) || due < sooner) wanted[key] = due;
        }

        string Pick()
        {
            var at = random.Next(running.Count);
            var key = running[at];
            running.RemoveAt(at);
            return key;
        }

        void Collect()
        {
            foreach (var taken in takers.Where(t => t.IsCompleted).Select(t => t.Result))
            {
                Assert.DoesNotContain(taken, running);
                Assert.True(wanted.Remove(taken, out var due) && due <= clock.GetUtcNow(), $"{taken} was handed out early or without being asked for");
                running.Add(taken);
            }

            takers.RemoveAll(t => t.IsCompleted);
        }
    }

    private static void Test(Func<WorkQueue<string>, VirtualTime, Func<Task>, Task> body)
    {
        var clock = new VirtualTime();
        using var queue = new WorkQueue<string>(clock, Exact);
        Pump.Run(settle => body(queue, clock, settle));
    }
}
