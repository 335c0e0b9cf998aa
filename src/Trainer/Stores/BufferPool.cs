using System.Collections.Concurrent;

namespace Opt.Trainer.Stores;

/// <summary>Buffers of one size for one transfer, so that its memory is (parallelism x size) and none of it outlives the transfer.</summary>
internal sealed class BufferPool(int bytes) : IDisposable
{
    private readonly ConcurrentBag<byte[]> _free = [];

    public Lease Rent() => new(this, _free.TryTake(out var buffer) ? buffer : GC.AllocateUninitializedArray<byte>(bytes));

    public void Dispose() => _free.Clear();

    internal sealed class Lease(BufferPool pool, byte[] buffer) : IDisposable
    {
        public Memory<byte> Memory => buffer;

        /// <summary>The first bytes as a stream; a fresh one for every try.</summary>
        public MemoryStream Stream(int length) => new(buffer, 0, length, writable: false);

        public void Dispose() => pool._free.Add(buffer);
    }
}
