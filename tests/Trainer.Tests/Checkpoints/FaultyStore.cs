using Opt.Trainer.Stores;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>What happens to one request.</summary>
internal enum Fault
{
    None,

    /// <summary>The request never arrives.</summary>
    LostRequest,

    /// <summary>The request is carried out, its answer is lost.</summary>
    LostAnswer,

    /// <summary>The disk is full.</summary>
    Full,

    /// <summary>The disk was remounted read-only.</summary>
    ReadOnly,

    /// <summary>Bytes read back are not those written.</summary>
    Damage,
}

/// <summary>A store in front of another that goes wrong where the test says.</summary>
internal sealed class FaultyStore(ICheckpointStore inner, Func<string, string, Fault> fault) : ICheckpointStore
{
    public string Description => inner.Description;

    public async Task<bool> TryCreateAsync(string name, ReadOnlyMemory<byte> content, CancellationToken ct) =>
        await RunAsync("create", name, () => inner.TryCreateAsync(name, content, ct));

    public Task WriteAsync(string name, IObjectContent content, CancellationToken ct) => RunAsync("write", name, async () =>
    {
        await inner.WriteAsync(name, content, ct);
        return true;
    });

    public Task<byte[]?> TryReadAsync(string name, int atMost, CancellationToken ct) => RunAsync("read", name, () => inner.TryReadAsync(name, atMost, ct));

    public Task ReadAsync(string name, long offset, Memory<byte> destination, CancellationToken ct) => RunAsync("range", name, async () =>
    {
        await inner.ReadAsync(name, offset, destination, ct);
        return true;
    }, () => destination.Span[destination.Length / 2] ^= 0x40);

    public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken ct) => inner.ListAsync(prefix, ct);

    public Task DeleteAsync(string name, CancellationToken ct) => RunAsync("delete", name, async () =>
    {
        await inner.DeleteAsync(name, ct);
        return true;
    });

    public Task DeleteAbandonedAsync(TimeSpan untouchedFor, CancellationToken ct) => inner.DeleteAbandonedAsync(untouchedFor, ct);

    public Task CheckAsync(CancellationToken ct) => inner.CheckAsync(ct);

    public ValueTask DisposeAsync() => default;

    private async Task<T> RunAsync<T>(string verb, string name, Func<Task<T>> request, Action? damage = null)
    {
        var what = fault(verb, name);
        if (what == Fault.LostRequest) throw new StoreException(StoreFault.Transient, $"{verb} {name}: connection reset");
        if (what == Fault.Full) throw new StoreException(StoreFault.Full, $"{verb} {name}: no space left");
        if (what == Fault.ReadOnly && (verb is "create" or "write" or "delete")) throw new StoreException(StoreFault.ReadOnly, $"{verb} {name}: read-only file system");
        var answer = await request();
        if (what == Fault.LostAnswer) throw new StoreException(StoreFault.Transient, $"{verb} {name}: the answer was lost");
        if (what == Fault.Damage) damage?.Invoke();
        return answer;
    }
}
