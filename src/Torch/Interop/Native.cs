using System.Runtime.InteropServices;
using System.Text;

namespace Opt.Torch.Interop;

/// <summary>The ABI of <c>opttorch.h</c>, one declaration a function. Callers pass every status to <see cref="Check"/> at once.</summary>
internal static unsafe partial class Native
{
    private const string Library = NativeLibraryResolver.LibraryName;
    private const int StatusOk = 0;
    private const int StatusInvalidArgument = 2;
    private const int StatusOutOfMemory = 3;
    private const int StatusNotSupported = 4;
    private const int StatusTimeout = 5;
    private const int StatusPeerLost = 6;

    static Native() => NativeLibrary.SetDllImportResolver(typeof(Native).Assembly, NativeLibraryResolver.Resolve);

    /// <summary>Turns a status into an exception. Same thread, next statement: the native message is thread-local.</summary>
    public static void Check(int status)
    {
        if (status != StatusOk)
        {
            throw Error(status, Text(&LastError));
        }
    }

    /// <summary>Reads a text of unknown length through one of the functions that return the full length.</summary>
    public static string Text(delegate*<byte*, int, int> read)
    {
        Span<byte> buffer = stackalloc byte[2048];
        fixed (byte* start = buffer)
        {
            var length = read(start, buffer.Length);
            return length <= buffer.Length ? Encoding.UTF8.GetString(buffer[..length]) : LongText(read, length);
        }
    }

    private static string LongText(delegate*<byte*, int, int> read, int length)
    {
        var buffer = new byte[length];
        fixed (byte* start = buffer)
        {
            return Encoding.UTF8.GetString(buffer, 0, Math.Min(read(start, length), length));
        }
    }

    private static Exception Error(int status, string text) => status switch
    {
        StatusInvalidArgument => new ArgumentException(text),
        StatusOutOfMemory => new TorchOutOfMemoryException(text),
        StatusNotSupported => new TorchNotSupportedException(text),
        StatusTimeout => new torch.distributed.DistributedTimeoutException(text),
        StatusPeerLost => new torch.distributed.PeerLostException(text),
        _ => new TorchException(text),
    };

    [LibraryImport(Library, EntryPoint = "opt_last_error")]
    public static partial int LastError(byte* utf8, int capacity);

    [LibraryImport(Library, EntryPoint = "opt_version")]
    public static partial int Version(byte* utf8, int capacity);

    [LibraryImport(Library, EntryPoint = "opt_has_feature")]
    public static partial int HasFeature(ReadOnlySpan<byte> name, int length);

    [LibraryImport(Library, EntryPoint = "opt_set_num_threads")]
    public static partial int SetNumThreads(int threads);

    [LibraryImport(Library, EntryPoint = "opt_get_num_threads")]
    public static partial int GetNumThreads(out int threads);

    [LibraryImport(Library, EntryPoint = "opt_memory_stats")]
    public static partial int MemoryStats(out MemoryStatistics statistics);

    [LibraryImport(Library, EntryPoint = "opt_memory_reset_peak")]
    public static partial int MemoryResetPeak();

    [LibraryImport(Library, EntryPoint = "opt_memory_empty_cache")]
    public static partial int MemoryEmptyCache();

    [LibraryImport(Library, EntryPoint = "opt_memory_set_cache_limit")]
    public static partial int MemorySetCacheLimit(long bytes);

    [LibraryImport(Library, EntryPoint = "opt_device_count")]
    public static partial int DeviceCount(int type, out int count);

    [LibraryImport(Library, EntryPoint = "opt_device_set")]
    public static partial int DeviceSet(int device);

    [LibraryImport(Library, EntryPoint = "opt_device_own_stream")]
    public static partial int DeviceOwnStream(int device);

    [LibraryImport(Library, EntryPoint = "opt_device_synchronize")]
    public static partial int DeviceSynchronize(int device);

    [LibraryImport(Library, EntryPoint = "opt_op_find")]
    public static partial int OpFind(ReadOnlySpan<byte> name, int nameLength, ReadOnlySpan<byte> overload, int overloadLength, ReadOnlySpan<byte> arguments, int argumentsLength, out nint op);

    [LibraryImport(Library, EntryPoint = "opt_op_call")]
    public static partial int OpCall(nint op, NativeValue* arguments, int count, NativeValue* results, int capacity, out int resultCount);
}
