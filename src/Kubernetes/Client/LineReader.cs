using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace Opt.Kubernetes;

/// <summary>Cuts a stream into lines, and gives up when it is silent for too long.</summary>
internal static class LineReader
{
    /// <summary>The longest line taken; etcd's default limit for an object is 1.5 MiB, so this is ample.</summary>
    private const int LongestLine = 64 * 1024 * 1024;

    /// <summary>
    /// The non-empty lines. A last line without its end is dropped: it was cut, and the stream is resumed before it.
    /// The memory is valid until the next line is asked for.
    /// </summary>
    /// <exception cref="TimeoutException">No byte came for <paramref name="idle"/>.</exception>
    public static async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(Stream stream, TimeSpan idle, TimeProvider clock, [EnumeratorCancellation] CancellationToken ct)
    {
        var pipe = PipeReader.Create(stream);
        using var silence = new CancellationTokenSource(idle, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, silence.Token);
        try
        {
            while (true)
            {
                var read = await ReadOnceAsync(pipe, idle, silence, both.Token, ct);
                var rest = read.Buffer;
                while (TakeLine(ref rest, out var line))
                {
                    if (line.Length > 0) yield return line.IsSingleSegment ? line.First : line.ToArray();
                }

                if (read.IsCompleted) yield break;
                if (rest.Length > LongestLine) throw new IOException($"A line of the stream is longer than {LongestLine} bytes.");
                pipe.AdvanceTo(rest.Start, rest.End);
            }
        }
        finally
        {
            await pipe.CompleteAsync();
        }
    }

    private static async ValueTask<ReadResult> ReadOnceAsync(PipeReader pipe, TimeSpan idle, CancellationTokenSource silence, CancellationToken either, CancellationToken ct)
    {
        silence.CancelAfter(idle);
        try
        {
            return await pipe.ReadAsync(either);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new TimeoutException($"The stream was silent for {idle.TotalSeconds} s.", e);
        }
        finally
        {
            silence.CancelAfter(Timeout.InfiniteTimeSpan);   // the consumer's own time does not count
        }
    }

    private static bool TakeLine(ref ReadOnlySequence<byte> rest, out ReadOnlySequence<byte> line)
    {
        line = default;
        if (rest.PositionOf((byte)'\n') is not { } end) return false;
        line = rest.Slice(0, end);
        rest = rest.Slice(rest.GetPosition(1, end));
        if (line.Length > 0 && line.Slice(line.Length - 1).FirstSpan[0] == '\r') line = line.Slice(0, line.Length - 1);
        return true;
    }
}
