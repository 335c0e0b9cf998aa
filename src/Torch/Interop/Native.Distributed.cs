using System.Runtime.InteropServices;
using static Opt.Torch.torch;

namespace Opt.Torch.Interop;

internal static unsafe partial class Native
{
    [LibraryImport(Library, EntryPoint = "opt_store_tcp")]
    public static partial int StoreTcp(ReadOnlySpan<byte> host, int hostLength, int port, int isServer, long world, int waitWorkers, long timeoutMs, out nint store);

    [LibraryImport(Library, EntryPoint = "opt_store_prefix")]
    public static partial int StorePrefix(ReadOnlySpan<byte> prefix, int prefixLength, StoreHandle baseStore, out nint store);

    [LibraryImport(Library, EntryPoint = "opt_store_port")]
    public static partial int StorePort(StoreHandle store, out int port);

    [LibraryImport(Library, EntryPoint = "opt_store_set")]
    public static partial int StoreSet(StoreHandle store, ReadOnlySpan<byte> key, int keyLength, ReadOnlySpan<byte> value, long length);

    [LibraryImport(Library, EntryPoint = "opt_store_get")]
    public static partial int StoreGet(StoreHandle store, ReadOnlySpan<byte> key, int keyLength, long timeoutMs, Span<byte> value, long capacity, out long length);

    [LibraryImport(Library, EntryPoint = "opt_store_last_value")]
    public static partial int StoreLastValue(Span<byte> value, long capacity);

    [LibraryImport(Library, EntryPoint = "opt_store_add")]
    public static partial int StoreAdd(StoreHandle store, ReadOnlySpan<byte> key, int keyLength, long delta, out long value);

    [LibraryImport(Library, EntryPoint = "opt_store_compare_set")]
    public static partial int StoreCompareSet(StoreHandle store, ReadOnlySpan<byte> key, int keyLength, ReadOnlySpan<byte> expected, long expectedLength, ReadOnlySpan<byte> desired, long desiredLength, Span<byte> value, long capacity, out long length);

    [LibraryImport(Library, EntryPoint = "opt_store_check")]
    public static partial int StoreCheck(StoreHandle store, ReadOnlySpan<byte> key, int keyLength, out int present);

    [LibraryImport(Library, EntryPoint = "opt_store_wait")]
    public static partial int StoreWait(StoreHandle store, ReadOnlySpan<byte> key, int keyLength, long timeoutMs);

    [LibraryImport(Library, EntryPoint = "opt_store_delete")]
    public static partial int StoreDelete(StoreHandle store, ReadOnlySpan<byte> key, int keyLength, out int deleted);

    [LibraryImport(Library, EntryPoint = "opt_store_free")]
    public static partial void StoreFree(nint store);

    [LibraryImport(Library, EntryPoint = "opt_group_gloo")]
    public static partial int GroupGloo(StoreHandle store, int rank, int size, ReadOnlySpan<byte> address, int addressLength, ReadOnlySpan<byte> interfaceName, int interfaceLength, int threads, long timeoutMs, out nint group);

    [LibraryImport(Library, EntryPoint = "opt_group_nccl")]
    public static partial int GroupNccl(StoreHandle store, int rank, int size, long timeoutMs, out nint group);

    [LibraryImport(Library, EntryPoint = "opt_group_free")]
    public static partial void GroupFree(nint group);

    [LibraryImport(Library, EntryPoint = "opt_group_bytes_sent")]
    public static partial int GroupBytesSent(GroupHandle group, out long bytes);

    [LibraryImport(Library, EntryPoint = "opt_all_reduce")]
    public static partial int AllReduce(GroupHandle group, Tensor tensor, int reduceOp, out nint work);

    [LibraryImport(Library, EntryPoint = "opt_broadcast")]
    public static partial int Broadcast(GroupHandle group, Tensor tensor, int root, out nint work);

    [LibraryImport(Library, EntryPoint = "opt_all_gather_into_tensor")]
    public static partial int AllGather(GroupHandle group, Tensor output, Tensor input, out nint work);

    [LibraryImport(Library, EntryPoint = "opt_reduce_scatter_tensor")]
    public static partial int ReduceScatter(GroupHandle group, Tensor output, Tensor input, out nint work);

    [LibraryImport(Library, EntryPoint = "opt_all_to_all_single")]
    public static partial int AllToAll(GroupHandle group, Tensor output, Tensor input, ReadOnlySpan<long> outputSplits, ReadOnlySpan<long> inputSplits, int splits, out nint work);

    [LibraryImport(Library, EntryPoint = "opt_send")]
    public static partial int Send(GroupHandle group, Tensor tensor, int peer, int tag, out nint work);

    [LibraryImport(Library, EntryPoint = "opt_recv")]
    public static partial int Recv(GroupHandle group, Tensor tensor, int peer, int tag, out nint work);

    [LibraryImport(Library, EntryPoint = "opt_barrier")]
    public static partial int Barrier(GroupHandle group, out nint work);

    [LibraryImport(Library, EntryPoint = "opt_work_wait")]
    public static partial int WorkWait(WorkHandle work, long timeoutMs);

    [LibraryImport(Library, EntryPoint = "opt_work_is_completed")]
    public static partial int WorkIsCompleted(WorkHandle work, out int completed);

    [LibraryImport(Library, EntryPoint = "opt_work_free")]
    public static partial void WorkFree(nint work);
}
