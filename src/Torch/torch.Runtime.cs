using System.Runtime.InteropServices;
using System.Text;
using Opt.Torch.Interop;

namespace Opt.Torch;

/// <summary>What the tensors of this process hold on the CPU, in bytes.</summary>
/// <param name="Allocated">Held by live storages, as asked for.</param>
/// <param name="PeakAllocated">The most that <paramref name="Allocated"/> has been since the last reset.</param>
/// <param name="Reserved">Got from the system: allocated, rounded up, and cached for reuse.</param>
/// <param name="Blocks">Live storages.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct MemoryStatistics(long Allocated, long PeakAllocated, long Reserved, long Blocks);

public static partial class torch
{
    /// <summary>libtorch's version as it prints itself; Debian's 1.13.1 says 1.13.0. Ask <see cref="has_feature"/> instead of comparing.</summary>
    public static unsafe string __version__ => Native.Text(&Native.Version);

    /// <summary>Whether this build has a feature: <c>gloo</c>, <c>nccl</c>, <c>cuda</c>, or an operator as <c>op:aten::name</c> or <c>op:aten::name.overload</c>.</summary>
    public static bool has_feature(string name)
    {
        var utf8 = Encoding.UTF8.GetBytes(name);
        return Native.HasFeature(utf8, utf8.Length) != 0;
    }

    /// <summary>
    /// Threads that one operator may use. It limits libtorch's OpenMP pool, not OpenBLAS, whose pool is fixed when the library
    /// loads: a worker's launcher sets OMP_NUM_THREADS and OPENBLAS_NUM_THREADS in its environment before it starts.
    /// </summary>
    public static void set_num_threads(int threads) => Native.Check(Native.SetNumThreads(threads));

    public static int get_num_threads()
    {
        Native.Check(Native.GetNumThreads(out var threads));
        return threads;
    }

    /// <summary>CUDA devices, if libtorch was built for them.</summary>
    public static class cuda
    {
        public static bool is_available() => device_count() > 0;

        public static int device_count()
        {
            Native.Check(Native.DeviceCount((int)DeviceType.CUDA, out var count));
            return count;
        }

        /// <summary>Makes a device the current one of this thread.</summary>
        public static void set_device(int index) => Native.Check(Native.DeviceSet(new Device(DeviceType.CUDA, index).Packed));

        /// <summary>Makes the device the current one of this thread, and a stream from libtorch's pool, which waits for no other, the thread's current stream there.</summary>
        public static void use_own_stream(Device device) => Native.Check(Native.DeviceOwnStream(device.Packed));

        /// <summary>Waits for the work issued on the current stream of the device.</summary>
        public static void synchronize(Device? device = null) => Native.Check(Native.DeviceSynchronize((device ?? CUDA).Packed));
    }

    /// <summary>Memory of CPU tensors, from the allocator that the shim installs.</summary>
    public static class cpu
    {
        public static MemoryStatistics memory_stats()
        {
            Native.Check(Native.MemoryStats(out var statistics));
            return statistics;
        }

        public static long memory_allocated() => memory_stats().Allocated;

        public static long max_memory_allocated() => memory_stats().PeakAllocated;

        public static long memory_reserved() => memory_stats().Reserved;

        public static void reset_peak_memory_stats() => Native.Check(Native.MemoryResetPeak());

        /// <summary>Gives cached blocks back to the system.</summary>
        public static void empty_cache() => Native.Check(Native.MemoryEmptyCache());

        /// <summary>Bounds the bytes kept for reuse (4 GiB at start); 0 turns the cache off.</summary>
        public static void set_cache_limit(long bytes) => Native.Check(Native.MemorySetCacheLimit(bytes));
    }
}
