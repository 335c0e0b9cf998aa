using System.Text;
using Opt.Torch.Interop;

namespace Opt.Torch;

public static partial class torch
{
    public static partial class distributed
    {
        /// <summary>A small key-value table that all processes see; process groups meet through it.</summary>
        /// <remarks>A client does one thing at a time: a thread that waits in it blocks the others. Give each thread that waits its own.</remarks>
        public abstract class Store : IDisposable
        {
            private const int ShortValue = 512;

            private protected Store(StoreHandle handle, TimeSpan timeout)
            {
                Handle = handle;
                this.timeout = timeout;
            }

            /// <summary>How long <see cref="get"/> and <see cref="wait"/> wait when they are not told.</summary>
            public TimeSpan timeout { get; }

            internal StoreHandle Handle { get; }

            public void set(string key, ReadOnlySpan<byte> value)
            {
                var name = Encoding.UTF8.GetBytes(key);
                Native.Check(Native.StoreSet(Handle, name, name.Length, value, value.Length));
            }

            public void set(string key, string value) => set(key, Encoding.UTF8.GetBytes(value));

            /// <summary>The value, once some process has set it.</summary>
            /// <exception cref="DistributedTimeoutException">Nobody set it in time.</exception>
            public byte[] get(string key, TimeSpan? timeout = null)
            {
                var name = Encoding.UTF8.GetBytes(key);
                Span<byte> buffer = stackalloc byte[ShortValue];
                Native.Check(Native.StoreGet(Handle, name, name.Length, Milliseconds(timeout ?? this.timeout), buffer, buffer.Length, out var length));
                return Answer(buffer, length);
            }

            /// <summary>Waits until the key is set.</summary>
            /// <exception cref="DistributedTimeoutException">Nobody set it in time.</exception>
            public void wait(string key, TimeSpan? timeout = null)
            {
                var name = Encoding.UTF8.GetBytes(key);
                Native.Check(Native.StoreWait(Handle, name, name.Length, Milliseconds(timeout ?? this.timeout)));
            }

            /// <summary>Whether the key is set, without waiting.</summary>
            public bool check(string key)
            {
                var name = Encoding.UTF8.GetBytes(key);
                Native.Check(Native.StoreCheck(Handle, name, name.Length, out var present));
                return present != 0;
            }

            /// <summary>Adds to a counter that starts at 0 and returns its new value. Atomic over all processes.</summary>
            public long add(string key, long amount)
            {
                var name = Encoding.UTF8.GetBytes(key);
                Native.Check(Native.StoreAdd(Handle, name, name.Length, amount, out var value));
                return value;
            }

            /// <summary>
            /// Sets the key to <paramref name="desired"/> if it holds <paramref name="expected"/>, or if it is unset and
            /// <paramref name="expected"/> is empty. Returns what the key holds now (<paramref name="expected"/> if it is unset still).
            /// </summary>
            public byte[] compare_set(string key, ReadOnlySpan<byte> expected, ReadOnlySpan<byte> desired)
            {
                var name = Encoding.UTF8.GetBytes(key);
                Span<byte> buffer = stackalloc byte[ShortValue];
                Native.Check(Native.StoreCompareSet(Handle, name, name.Length, expected, expected.Length, desired, desired.Length, buffer, buffer.Length, out var length));
                return Answer(buffer, length);
            }

            /// <summary>Forgets the key; false if there was none.</summary>
            public bool delete_key(string key)
            {
                var name = Encoding.UTF8.GetBytes(key);
                Native.Check(Native.StoreDelete(Handle, name, name.Length, out var deleted));
                return deleted != 0;
            }

            public void Dispose()
            {
                Handle.Dispose();
                GC.SuppressFinalize(this);
            }

            internal static long Milliseconds(TimeSpan timeout) => Math.Max(1, (long)timeout.TotalMilliseconds);

            private static byte[] Answer(ReadOnlySpan<byte> buffer, long length)
            {
                if (length <= buffer.Length)
                {
                    return buffer[..(int)length].ToArray();
                }

                var value = new byte[length];
                Native.Check(Native.StoreLastValue(value, length));
                return value;
            }
        }

        /// <summary>A store served over TCP by one process and used by all.</summary>
        public sealed class TCPStore : Store
        {
            /// <summary>Connects to the store, and serves it too if this process is its server.</summary>
            /// <param name="host">Where clients connect. The server listens on every address of its machine, whatever this says (libtorch binds the wildcard).</param>
            /// <param name="port">The server's port; 0 lets the server choose, see <see cref="port"/>.</param>
            /// <param name="is_server">Whether this process serves. A server need not be a member of any group.</param>
            /// <param name="timeout">For connecting, and the default for waiting.</param>
            /// <param name="world_size">Processes to wait for, if <paramref name="wait_for_workers"/>.</param>
            /// <param name="wait_for_workers">Whether the server returns only when all of them have connected.</param>
            /// <exception cref="DistributedException">No server answered in time, or the port is taken.</exception>
            public TCPStore(string host, int port, bool is_server, TimeSpan timeout, int world_size = 0, bool wait_for_workers = false)
                : base(Connect(host, port, is_server, timeout, world_size, wait_for_workers), timeout)
            {
                this.host = host;
            }

            public string host { get; }

            /// <summary>The port in use.</summary>
            public int port
            {
                get
                {
                    Native.Check(Native.StorePort(Handle, out var value));
                    return value;
                }
            }

            private static StoreHandle Connect(string host, int port, bool server, TimeSpan timeout, int world, bool wait)
            {
                var name = Encoding.UTF8.GetBytes(host);
                Native.Check(Native.StoreTcp(name, name.Length, port, server ? 1 : 0, world, wait ? 1 : 0, Milliseconds(timeout), out var store));
                return new StoreHandle(store);
            }
        }

        /// <summary>Part of another store: every key gets a prefix, so that several groups share one store.</summary>
        public sealed class PrefixStore : Store
        {
            public PrefixStore(string prefix, Store store) : base(Wrap(prefix, store), store.timeout)
            {
            }

            private static StoreHandle Wrap(string prefix, Store store)
            {
                var name = Encoding.UTF8.GetBytes(prefix);
                Native.Check(Native.StorePrefix(name, name.Length, store.Handle, out var wrapped));
                return new StoreHandle(wrapped);
            }
        }
    }
}
