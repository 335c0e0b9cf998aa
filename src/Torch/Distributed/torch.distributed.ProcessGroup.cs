using System.Text;
using Opt.Torch.Interop;

namespace Opt.Torch;

public static partial class torch
{
    public static partial class distributed
    {
        /// <summary>How a reduction combines; the values are c10d's.</summary>
        public enum ReduceOp
        {
            SUM = 0,
            MIN = 3,
            MAX = 4,
        }

        /// <summary>
        /// Processes that call the same collectives in the same order. One thread issues them; each returns at once with a
        /// <see cref="Work"/> to wait for. All tensors must be contiguous.
        /// </summary>
        public abstract class ProcessGroup : IDisposable
        {
            protected ProcessGroup(int rank, int size)
            {
                this.rank = rank;
                this.size = size;
            }

            public int rank { get; }

            public int size { get; }

            /// <summary>Bytes of payload that this rank has sent by gathers, reduce-scatters and all-reduces of this group (the latter by the formula of a ring).</summary>
            public virtual long bytes_sent => Inner?.bytes_sent ?? 0;

            /// <summary>For a group that adds something to another: the other, which autograd nodes use natively.</summary>
            protected virtual ProcessGroup? Inner => null;

            internal virtual GroupHandle Handle => Inner?.Handle ?? throw new TorchNotSupportedException($"{GetType().Name} has no native process group");

            /// <summary>Combines the tensors of all ranks into each of them. float32, float64, float16, bfloat16 and integers; 16-bit sums round and may overflow on the way (bfloat16 on Gloo is summed in float32).</summary>
            public abstract Work all_reduce(Tensor tensor, ReduceOp op = ReduceOp.SUM);

            /// <summary>Copies the tensor of rank <paramref name="src"/> to all. Any type.</summary>
            public abstract Work broadcast(Tensor tensor, int src);

            /// <summary>Rank r's <paramref name="input"/> becomes part r of every rank's <paramref name="output"/>. Any type.</summary>
            public abstract Work all_gather_into_tensor(Tensor output, Tensor input);

            /// <summary>
            /// <paramref name="output"/> becomes the sum over ranks of part <see cref="rank"/> of their <paramref name="input"/>. On Gloo
            /// 16-bit inputs are summed in fp32 in rank order, so with an fp32 output nothing overflows and every run gives the same bits.
            /// </summary>
            public abstract Work reduce_scatter_tensor(Tensor output, Tensor input);

            /// <summary>Part s of <paramref name="input"/> goes to rank s; part s of <paramref name="output"/> comes from rank s. Splits count elements of the flat tensors; empty means equal parts.</summary>
            public abstract Work all_to_all_single(Tensor output, Tensor input, ReadOnlySpan<long> output_splits = default, ReadOnlySpan<long> input_splits = default);

            public abstract Work send(Tensor tensor, int dst, int tag = 0);

            public abstract Work recv(Tensor tensor, int src, int tag = 0);

            /// <summary>Completes when every rank has called it.</summary>
            public abstract Work barrier();

            public void Dispose()
            {
                Dispose(disposing: true);
                GC.SuppressFinalize(this);
            }

            protected abstract void Dispose(bool disposing);
        }

        private abstract class NativeProcessGroup(nint handle, int rank, int size) : ProcessGroup(rank, size)
        {
            internal override GroupHandle Handle { get; } = new(handle);

            public override long bytes_sent
            {
                get
                {
                    Native.Check(Native.GroupBytesSent(Handle, out var bytes));
                    return bytes;
                }
            }

            public override Work all_reduce(Tensor tensor, ReduceOp op = ReduceOp.SUM)
            {
                Native.Check(Native.AllReduce(Handle, tensor, (int)op, out var work));
                return new NativeWork(work);
            }

            public override Work broadcast(Tensor tensor, int src)
            {
                Native.Check(Native.Broadcast(Handle, tensor, src, out var work));
                return new NativeWork(work);
            }

            public override Work all_gather_into_tensor(Tensor output, Tensor input)
            {
                Native.Check(Native.AllGather(Handle, output, input, out var work));
                return new NativeWork(work);
            }

            public override Work reduce_scatter_tensor(Tensor output, Tensor input)
            {
                Native.Check(Native.ReduceScatter(Handle, output, input, out var work));
                return new NativeWork(work);
            }

            public override Work all_to_all_single(Tensor output, Tensor input, ReadOnlySpan<long> output_splits = default, ReadOnlySpan<long> input_splits = default)
            {
                if (output_splits.Length != input_splits.Length)
                {
                    throw new ArgumentException($"{output_splits.Length} output splits but {input_splits.Length} input splits: give both or neither", nameof(input_splits));
                }

                Native.Check(Native.AllToAll(Handle, output, input, output_splits, input_splits, input_splits.Length, out var work));
                return new NativeWork(work);
            }

            public override Work send(Tensor tensor, int dst, int tag = 0)
            {
                Native.Check(Native.Send(Handle, tensor, dst, tag, out var work));
                return new NativeWork(work);
            }

            public override Work recv(Tensor tensor, int src, int tag = 0)
            {
                Native.Check(Native.Recv(Handle, tensor, src, tag, out var work));
                return new NativeWork(work);
            }

            public override Work barrier()
            {
                Native.Check(Native.Barrier(Handle, out var work));
                return new NativeWork(work);
            }

            protected override void Dispose(bool disposing) => Handle.Dispose();
        }

        private sealed class GlooGroup(nint handle, int rank, int size) : NativeProcessGroup(handle, rank, size);

        private sealed class NcclGroup(nint handle, int rank, int size) : NativeProcessGroup(handle, rank, size);

        /// <summary>Joins a Gloo group; returns when all its members have. Works on CPU tensors, and on CUDA tensors by way of the host.</summary>
        /// <param name="store">Where the members meet; a prefix of its own for every group and every attempt.</param>
        /// <param name="rank">This process, in [0, size).</param>
        /// <param name="size">Members.</param>
        /// <param name="timeout">Deadline of the meeting and of every collective.</param>
        /// <param name="options">Where to listen, and how.</param>
        /// <exception cref="DistributedTimeoutException">Some member did not come in time.</exception>
        public static ProcessGroup ProcessGroupGloo(Store store, int rank, int size, TimeSpan timeout, GlooOptions? options = null)
        {
            var how = options ?? new GlooOptions();
            byte[] address = Encoding.UTF8.GetBytes(how.Address ?? ""), nic = Encoding.UTF8.GetBytes(how.Interface ?? "");
            Native.Check(Native.GroupGloo(store.Handle, rank, size, address, address.Length, nic, nic.Length, how.Threads, Store.Milliseconds(timeout), out var handle));
            return new GlooGroup(handle, rank, size);
        }

        /// <summary>Joins an NCCL group on the current CUDA device.</summary>
        /// <exception cref="TorchNotSupportedException">The shim was built without NCCL.</exception>
        public static ProcessGroup ProcessGroupNCCL(Store store, int rank, int size, TimeSpan timeout)
        {
            Native.Check(Native.GroupNccl(store.Handle, rank, size, Store.Milliseconds(timeout), out var handle));
            return new NcclGroup(handle, rank, size);
        }
    }
}
