using Opt.Trainer.Stores;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>A store whose first writes wait.</summary>
internal sealed class HeldStore(ICheckpointStore inner, Task until, int times = int.MaxValue) : ICheckpointStore
{
    private readonly TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _left = times;

    /// <summary>Completes when a write waits.</summary>
    public Task Held => _held.Task;

    public string Description => inner.Description;

    public async Task WriteAsync(string name, IObjectContent content, CancellationToken ct)
    {
        if (_left-- > 0)
        {
            _held.TrySetResult();
            await until.WaitAsync(ct);
        }

        await inner.WriteAsync(name, content, ct);
    }

    public Task<bool> TryCreateAsync(string name, ReadOnlyMemory<byte> content, CancellationToken ct) => inner.TryCreateAsync(name, content, ct);

    public Task<byte[]?> TryReadAsync(string name, int atMost, CancellationToken ct) => inner.TryReadAsync(name, atMost, ct);

    public Task ReadAsync(string name, long offset, Memory<byte> destination, CancellationToken ct) => inner.ReadAsync(name, offset, destination, ct);

    public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken ct) => inner.ListAsync(prefix, ct);

    public Task DeleteAsync(string name, CancellationToken ct) => inner.DeleteAsync(name, ct);

    public Task DeleteAbandonedAsync(TimeSpan untouchedFor, CancellationToken ct) => inner.DeleteAbandonedAsync(untouchedFor, ct);

    public Task CheckAsync(CancellationToken ct) => inner.CheckAsync(ct);

    public ValueTask DisposeAsync() => default;
}
