using System.Collections.Concurrent;

namespace Opt.Trainer.Checkpoints;

/// <summary>The exchange of ranks that live in one process: a single rank (tools), or threads.</summary>
public sealed class InProcessExchange : IRankExchange
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<byte[]>> _values;

    private InProcessExchange(int rank, int worldSize, ConcurrentDictionary<string, TaskCompletionSource<byte[]>> values)
    {
        Rank = rank;
        WorldSize = worldSize;
        _values = values;
    }

    public int Rank { get; }
    public int WorldSize { get; }

    /// <summary>One end for each rank.</summary>
    public static IReadOnlyList<IRankExchange> Create(int worldSize)
    {
        var values = new ConcurrentDictionary<string, TaskCompletionSource<byte[]>>(StringComparer.Ordinal);
        return [.. Enumerable.Range(0, worldSize).Select(rank => new InProcessExchange(rank, worldSize, values))];
    }

    public Task PublishAsync(string key, ReadOnlyMemory<byte> value, CancellationToken ct)
    {
        Slot(key).TrySetResult(value.ToArray());
        return Task.CompletedTask;
    }

    public Task<byte[]> WaitAsync(string key, CancellationToken ct) => Slot(key).Task.WaitAsync(ct);

    public Task RemoveAsync(string key, CancellationToken ct)
    {
        _values.TryRemove(key, out _);
        return Task.CompletedTask;
    }

    private TaskCompletionSource<byte[]> Slot(string key) => _values.GetOrAdd(key, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
}
