using Opt.Torch.Interop;

namespace Opt.Torch;

public static partial class torch
{
    public static partial class distributed
    {
        /// <summary>
        /// A collective under way. Its outputs hold nothing useful, and its inputs must not be written, before
        /// <see cref="Wait"/> returns. Tensors may be disposed at once: the work keeps what it needs.
        /// </summary>
        public abstract class Work : IDisposable
        {
            /// <summary>Whether the transfer is over, well or not. <see cref="Wait"/> is still needed: part of the work may be left to it.</summary>
            public abstract bool IsCompleted { get; }

            /// <summary>Blocks until the outputs are there. On CUDA it orders the current stream behind the collective instead.</summary>
            /// <param name="timeout">The deadline of this wait; by default the group's.</param>
            /// <exception cref="PeerLostException">A connection broke.</exception>
            /// <exception cref="DistributedTimeoutException">The deadline passed. The group cannot be used any further.</exception>
            public abstract void Wait(TimeSpan? timeout = null);

            public abstract void Dispose();
        }

        private sealed class NativeWork(nint handle) : Work
        {
            private readonly WorkHandle _handle = new(handle);

            public override bool IsCompleted
            {
                get
                {
                    Native.Check(Native.WorkIsCompleted(_handle, out var completed));
                    return completed != 0;
                }
            }

            public override void Wait(TimeSpan? timeout = null) =>
                Native.Check(Native.WorkWait(_handle, timeout is { } given ? Store.Milliseconds(given) : 0));

            public override void Dispose() => _handle.Dispose();
        }
    }
}
