using System.Runtime.InteropServices;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>Where in a request a process is struck.</summary>
internal enum FaultPoint { Before, Middle, After }

/// <summary>A store that sends its own process a signal at one of its requests: every request of a save, a restore or a prune is a fault point.</summary>
internal sealed partial class FaultPointStore(ICheckpointStore inner, int at, FaultPoint where, int signal) : ICheckpointStore
{
    public const int SIGKILL = 9, SIGCONT = 18, SIGSTOP = 19;
    private int _requests;

    public string Description => inner.Description;

    public Task<bool> TryCreateAsync(string name, ReadOnlyMemory<byte> content, CancellationToken ct) => RunAsync(() => inner.TryCreateAsync(name, content, ct));

    public async Task WriteAsync(string name, IObjectContent content, CancellationToken ct)
    {
        var mine = Interlocked.Increment(ref _requests) == at;
        if (mine && where == FaultPoint.Before) Strike();
        await inner.WriteAsync(name, mine && where == FaultPoint.Middle ? new Struck(content) { Strike = Strike } : content, ct);
        if (mine && where == FaultPoint.After) Strike();
    }

    public Task<byte[]?> TryReadAsync(string name, int atMost, CancellationToken ct) => RunAsync(() => inner.TryReadAsync(name, atMost, ct));

    public Task ReadAsync(string name, long offset, Memory<byte> destination, CancellationToken ct) => RunAsync(async () =>
    {
        await inner.ReadAsync(name, offset, destination, ct);
        return true;
    });

    public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken ct) => inner.ListAsync(prefix, ct);

    public Task DeleteAsync(string name, CancellationToken ct) => RunAsync(async () =>
    {
        await inner.DeleteAsync(name, ct);
        return true;
    });

    public Task DeleteAbandonedAsync(TimeSpan untouchedFor, CancellationToken ct) => inner.DeleteAbandonedAsync(untouchedFor, ct);

    public Task CheckAsync(CancellationToken ct) => inner.CheckAsync(ct);

    public ValueTask DisposeAsync() => default;

    /// <summary>kill(2).</summary>
    public static void Signal(int pid, int signal)
    {
        if (kill(pid, signal) != 0) throw new InvalidOperationException($"kill({pid}, {signal}): {Marshal.GetLastPInvokeErrorMessage()}");
    }

    private async Task<T> RunAsync<T>(Func<Task<T>> request)
    {
        var mine = Interlocked.Increment(ref _requests) == at;
        if (mine && where != FaultPoint.After) Strike();
        var answer = await request();
        if (mine && where == FaultPoint.After) Strike();
        return answer;
    }

    private void Strike() => Signal(Environment.ProcessId, signal);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);

    /// <summary>Half of the content is in the file when the signal comes.</summary>
    private sealed class Struck(IObjectContent content) : IObjectContent
    {
        public required Action Strike { get; init; }

        public long Length => content.Length;

        public void Read(long offset, Span<byte> destination)
        {
            content.Read(offset, destination);
            Strike();
        }
    }
}
