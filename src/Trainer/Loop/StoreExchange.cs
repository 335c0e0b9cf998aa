using Opt.Trainer.Checkpoints;
using static Opt.Torch.torch;

namespace Opt.Trainer.Loop;

/// <summary>
/// The exchange of checkpoints over the rendezvous store, through a connection of its own: a client does one thing at a time, so waiting is
/// done by asking again rather than inside the store.
/// </summary>
internal sealed class StoreExchange(distributed.Store connection, int rank, int worldSize, TimeProvider time) : IRankExchange, IDisposable
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(50);
    private readonly distributed.PrefixStore _store = new("checkpoints", connection);
    private readonly Lock _gate = new();

    public int Rank => rank;
    public int WorldSize => worldSize;

    public Task PublishAsync(string key, ReadOnlyMemory<byte> value, CancellationToken ct) => Task.Run(() =>
    {
        lock (_gate) _store.set(key, value.Span);
    }, ct);

    public async Task<byte[]> WaitAsync(string key, CancellationToken ct)
    {
        while (true)
        {
            if (await Task.Run(() => TryGet(key), ct) is { } value) return value;
            await Task.Delay(Between, time, ct);
        }
    }

    public Task RemoveAsync(string key, CancellationToken ct) => Task.Run(() =>
    {
        lock (_gate) _store.delete_key(key);
    }, ct);

    public void Dispose()
    {
        _store.Dispose();
        connection.Dispose();
    }

    private byte[]? TryGet(string key)
    {
        lock (_gate) return _store.check(key) ? _store.get(key) : null;
    }
}
