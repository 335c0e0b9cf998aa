using static Opt.Torch.torch;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// The exchange over c10d's key-value store. The store's client serves one caller at a time and a wait in it would block the others, so a
/// wait here asks again and again, with pauses of 20 ms growing to 1 s.
/// </summary>
/// <param name="store">A client of its own (not shared with process groups), which this disposes of.</param>
public sealed class StoreExchange(distributed.Store store, int rank, int worldSize, TimeProvider time) : IRankExchange, IDisposable
{
    private const string Prefix = "checkpoints/";
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(20), LongestPause = TimeSpan.FromSeconds(1);
    private readonly Lock _gate = new();

    public int Rank => rank;
    public int WorldSize => worldSize;

    public Task PublishAsync(string key, ReadOnlyMemory<byte> value, CancellationToken ct) => RunAsync(() =>
    {
        store.set(Prefix + key, value.Span);
        return true;
    }, ct);

    public async Task<byte[]> WaitAsync(string key, CancellationToken ct)
    {
        for (var pause = ShortestPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            if (await RunAsync(() => store.check(Prefix + key) ? store.get(Prefix + key) : null, ct) is { } value) return value;
            await Task.Delay(pause, time, ct);
        }
    }

    public Task RemoveAsync(string key, CancellationToken ct) => RunAsync(() => store.delete_key(Prefix + key), ct);

    public void Dispose()
    {
        lock (_gate) store.Dispose();
    }

    /// <summary>A round trip of a small message, away from the caller's thread, one at a time.</summary>
    private Task<T> RunAsync<T>(Func<T> request, CancellationToken ct) => Task.Run(() =>
    {
        lock (_gate) return request();
    }, ct);
}
