using Opt.Trainer.Stores;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>A store whose creations and reads of whole objects wait for something of the test's choice first.</summary>
internal sealed class PausedStore(ICheckpointStore inner, Func<string, Task>? before = null, Func<string, Task>? beforeRead = null) : ICheckpointStore
{
    public string Description => inner.Description;

    public async Task<bool> TryCreateAsync(string name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        if (before is not null) await before(name);
        return await inner.TryCreateAsync(name, content, ct);
    }

    public Task WriteAsync(string name, IObjectContent content, CancellationToken ct) => inner.WriteAsync(name, content, ct);

    public async Task<byte[]?> TryReadAsync(string name, int atMost, CancellationToken ct)
    {
        if (beforeRead is not null) await beforeRead(name);
        return await inner.TryReadAsync(name, atMost, ct);
    }

    public Task ReadAsync(string name, long offset, Memory<byte> destination, CancellationToken ct) => inner.ReadAsync(name, offset, destination, ct);

    public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken ct) => inner.ListAsync(prefix, ct);

    public Task DeleteAsync(string name, CancellationToken ct) => inner.DeleteAsync(name, ct);

    public Task DeleteAbandonedAsync(TimeSpan untouchedFor, CancellationToken ct) => inner.DeleteAbandonedAsync(untouchedFor, ct);

    public Task CheckAsync(CancellationToken ct) => inner.CheckAsync(ct);

    public ValueTask DisposeAsync() => default;
}
