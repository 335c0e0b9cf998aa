using System.IO.Pipelines;

namespace Opt.Scenarios.World;

/// <summary>
/// Counts the bytes that enter and leave the connections of both sides. As long as the counts differ something is in the kernel, where nobody
/// else can see it: only when they agree may virtual time go on.
/// </summary>
internal sealed class Wire
{
    private long _toServer;
    private long _toClient;
    private int _connecting;

    public bool IsEmpty => Interlocked.Read(ref _toServer) == 0 && Interlocked.Read(ref _toClient) == 0 && Volatile.Read(ref _connecting) == 0;

    /// <summary>A connection that is being made has nothing to count yet.</summary>
    public async Task<Stream> ConnectAsync(Func<Task<Stream>> connect)
    {
        Interlocked.Increment(ref _connecting);
        try
        {
            return new Counted(await connect(), read => Interlocked.Add(ref _toClient, -read), written => Interlocked.Add(ref _toServer, written));
        }
        finally
        {
            Interlocked.Decrement(ref _connecting);
        }
    }

    public IDuplexPipe Serve(IDuplexPipe connection) => new Duplex(
        PipeReader.Create(new Counted(connection.Input.AsStream(), read => Interlocked.Add(ref _toServer, -read), _ => { })),
        PipeWriter.Create(new Counted(connection.Output.AsStream(), _ => { }, written => Interlocked.Add(ref _toClient, written))));

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    /// <summary>Counts before a write and after a read, so that a byte on its way is always counted.</summary>
    private sealed class Counted(Stream inner, Action<int> read, Action<int> written) : Stream
    {
        public override bool CanRead => inner.CanRead;
        public override bool CanSeek => false;
        public override bool CanWrite => inner.CanWrite;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = await inner.ReadAsync(buffer, cancellationToken);
            read(count);
            return count;
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            written(buffer.Length);
            return inner.WriteAsync(buffer, cancellationToken);
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

        public override void Flush() => inner.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("read asynchronously");

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("write asynchronously");

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
