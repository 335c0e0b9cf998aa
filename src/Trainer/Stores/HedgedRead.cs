using System.Buffers;

namespace Opt.Trainer.Stores;

/// <summary>A read that is asked again, in parallel, when it takes too long: whichever comes first counts, the other is cancelled.</summary>
internal static class HedgedRead
{
    /// <param name="read">Fills the memory it is given; must end soon after it is cancelled.</param>
    /// <param name="after">How long to wait before asking again.</param>
    public static async Task RunAsync(Func<Memory<byte>, CancellationToken, Task> read, Memory<byte> destination, TimeSpan after, TimeProvider time, CancellationToken ct)
    {
        using var stopFirst = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var first = read(destination, stopFirst.Token);
        using (var stopWaiting = CancellationTokenSource.CreateLinkedTokenSource(ct))
        {
            await Task.WhenAny(first, Task.Delay(after, time, stopWaiting.Token));
            await stopWaiting.CancelAsync();
        }

        if (first.IsCompleted || ct.IsCancellationRequested)
        {
            await first;
            return;
        }

        var spare = ArrayPool<byte>.Shared.Rent(destination.Length);
        using var stopSecond = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var second = read(spare.AsMemory(0, destination.Length), stopSecond.Token);
        try
        {
            var winner = await Task.WhenAny(first, second);
            if (!winner.IsCompletedSuccessfully) winner = winner == first ? second : first;
            await winner;
            await (winner == first ? stopSecond : stopFirst).CancelAsync();
            await SettleAsync(winner == first ? second : first);   // nothing may write to either memory from here on
            if (winner == second) spare.AsSpan(0, destination.Length).CopyTo(destination.Span);
        }
        finally
        {
            await SettleAsync(Task.WhenAll(first, second));
            ArrayPool<byte>.Shared.Return(spare);
        }
    }

    private static Task SettleAsync(Task task) => task.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
}
