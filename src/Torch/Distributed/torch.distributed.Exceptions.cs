namespace Opt.Torch;

public static partial class torch
{
    /// <summary>c10d for .NET: stores, process groups and collectives, under Python's names.</summary>
    public static partial class distributed
    {
        /// <summary>A collective or a store failed. The message is the native text.</summary>
        public abstract class DistributedException : TorchException
        {
            private protected DistributedException(string message) : base(message)
            {
            }
        }

        /// <summary>A connection broke: the peer, or the process that hosts the store, is gone.</summary>
        public sealed class PeerLostException(string message) : DistributedException(message);

        /// <summary>A deadline passed. The peer may be slow, stopped, or waiting for a third one that died.</summary>
        public sealed class DistributedTimeoutException(string message) : DistributedException(message);
    }
}
