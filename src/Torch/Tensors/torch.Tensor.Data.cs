using System.Runtime.InteropServices;
using Opt.Torch.Interop;

namespace Opt.Torch;

public static partial class torch
{
    public sealed partial class Tensor
    {
        /// <summary>
        /// The elements in place, without a copy. The tensor must be contiguous and on the CPU, and must stay undisposed and
        /// referenced for as long as the span is used (<see cref="GC.KeepAlive"/> if nothing else does).
        /// </summary>
        /// <exception cref="ArgumentException">Not contiguous, not on the CPU, or of another element type.</exception>
        public unsafe Span<T> AsSpan<T>() where T : unmanaged
        {
            RequireType<T>();
            Native.Check(Native.TensorData(this, out var data));
            return new Span<T>((void*)data, checked((int)numel()));
        }

        /// <summary>The memory of a contiguous CPU tensor as bytes, whatever its element type. Rules as for <see cref="AsSpan{T}"/>.</summary>
        public unsafe Span<byte> bytes
        {
            get
            {
                Native.Check(Native.TensorData(this, out var data));
                return new Span<byte>((void*)data, checked((int)(numel() * dtype.ElementSize())));
            }
        }

        /// <summary>The address of the first element of a contiguous CPU tensor, for memory beyond a span's 2 GiB.</summary>
        public nint data_ptr()
        {
            Native.Check(Native.TensorData(this, out var data));
            return data;
        }

        /// <summary>The one element, converted to <typeparamref name="T"/>. Waits for the device.</summary>
        /// <exception cref="TorchException">The tensor has not exactly one element.</exception>
        public T item<T>() where T : unmanaged
        {
            Native.Check(Native.TensorItem(this, out var real, out var integer));
            var integral = dtype is ScalarType.Int64 or ScalarType.Int32 or ScalarType.Int16 or ScalarType.Int8 or ScalarType.Byte or ScalarType.Bool;
            return integral ? Convert<T>(integer) : Convert<T>(real);
        }

        /// <summary>The elements copied to a managed array in row-major order, from any device and layout.</summary>
        public T[] ToArray<T>() where T : unmanaged
        {
            RequireType<T>();
            var count = checked((int)numel());
            var result = new T[count];
            using var onCpu = to(CPU).DetachFromDisposeScope();
            using var packed = onCpu.contiguous().DetachFromDisposeScope();
            packed.AsSpan<T>().CopyTo(result);
            return result;
        }

        private static T Convert<T>(double value) where T : unmanaged
        {
            if (typeof(T) == typeof(float)) { return (T)(object)(float)value; }
            if (typeof(T) == typeof(double)) { return (T)(object)value; }
            if (typeof(T) == typeof(Half)) { return (T)(object)(Half)value; }
            if (typeof(T) == typeof(bool)) { return (T)(object)(value != 0); }
            return Convert<T>(checked((long)value));
        }

        private static T Convert<T>(long value) where T : unmanaged
        {
            if (typeof(T) == typeof(long)) { return (T)(object)value; }
            if (typeof(T) == typeof(int)) { return (T)(object)checked((int)value); }
            if (typeof(T) == typeof(byte)) { return (T)(object)checked((byte)value); }
            if (typeof(T) == typeof(bool)) { return (T)(object)(value != 0); }
            if (typeof(T) == typeof(float)) { return (T)(object)(float)value; }
            if (typeof(T) == typeof(double)) { return (T)(object)(double)value; }
            throw new ArgumentException($"an element cannot be read as {typeof(T).Name}", nameof(value));
        }

        private void RequireType<T>() where T : unmanaged
        {
            var bfloat = typeof(T) == typeof(ushort) && dtype is ScalarType.BFloat16 or ScalarType.Float16;
            if (!bfloat && ToScalarType<T>() != dtype)
            {
                throw new ArgumentException($"the tensor holds {dtype}, not {typeof(T).Name}", nameof(T));
            }
        }
    }

    /// <summary>A tensor of the elements of <paramref name="values"/>, copied.</summary>
    public static Tensor tensor<T>(ReadOnlySpan<T> values, ReadOnlySpan<long> shape, Device? device = null, bool requires_grad = false) where T : unmanaged
    {
        var result = empty(shape, ToScalarType<T>());
        var target = result.AsSpan<T>();
        if (target.Length != values.Length)
        {
            result.Dispose();
            throw new ArgumentException($"shape [{string.Join(", ", shape.ToArray())}] has {target.Length} elements, but {values.Length} values were given", nameof(shape));
        }

        values.CopyTo(target);
        return Place(result, device, requires_grad);
    }

    /// <summary>A one-dimensional tensor of the elements of <paramref name="values"/>, copied.</summary>
    public static Tensor tensor<T>(T[] values, Device? device = null, bool requires_grad = false) where T : unmanaged =>
        tensor((ReadOnlySpan<T>)values, [values.Length], device, requires_grad);

    /// <summary>A tensor of the elements of <paramref name="values"/>, copied.</summary>
    public static Tensor tensor<T>(T[] values, ReadOnlySpan<long> shape, Device? device = null, bool requires_grad = false) where T : unmanaged =>
        tensor((ReadOnlySpan<T>)values, shape, device, requires_grad);

    /// <summary>A tensor of one element without dimensions.</summary>
    public static Tensor tensor(float value, Device? device = null, bool requires_grad = false) => tensor((ReadOnlySpan<float>)[value], [], device, requires_grad);

    /// <summary>A one-dimensional tensor of the array's elements, copied.</summary>
    public static Tensor from_array<T>(T[] values, Device? device = null) where T : unmanaged => tensor(values, device);

    /// <summary>A CPU tensor over memory that the caller owns and keeps alive and unmoved for as long as any view of it lives.</summary>
    public static unsafe Tensor from_pointer(nint data, ReadOnlySpan<long> shape, ScalarType dtype)
    {
        Native.Check(Native.TensorFromBlob(data, shape, shape.Length, (int)dtype, null, 0, out var result));
        return new Tensor(result);
    }

    /// <summary>A CPU tensor over managed or mapped memory, without a copy. The memory is pinned until the last view of it is gone.</summary>
    /// <exception cref="ArgumentException">The memory is smaller than the shape needs.</exception>
    public static unsafe Tensor from_buffer(Memory<byte> buffer, ReadOnlySpan<long> shape, ScalarType dtype)
    {
        var needed = (long)dtype.ElementSize();
        foreach (var size in shape)
        {
            needed = checked(needed * size);
        }

        if (buffer.Length < needed)
        {
            throw new ArgumentException($"the buffer has {buffer.Length} bytes, but the tensor needs {needed}", nameof(buffer));
        }

        var pin = GCHandle.Alloc(new Pin(buffer.Pin()));
        var status = Native.TensorFromBlob((nint)((Pin)pin.Target!).Pointer, shape, shape.Length, (int)dtype, &Unpin, GCHandle.ToIntPtr(pin), out var result);
        if (status != 0)
        {
            Free(pin);
        }

        Native.Check(status);
        return new Tensor(result);
    }

    [UnmanagedCallersOnly]
    private static void Unpin(nint context) => Free(GCHandle.FromIntPtr(context));

    private static void Free(GCHandle handle)
    {
        ((Pin)handle.Target!).Dispose();
        handle.Free();
    }

    private static Tensor Place(Tensor made, Device? device, bool requires_grad)
    {
        var result = made;
        if (device is not null && device.type != DeviceType.CPU)
        {
            result = made.to(device);
            made.Dispose();
        }

        return requires_grad ? result.requires_grad_() : result;
    }

    private sealed unsafe class Pin(System.Buffers.MemoryHandle memory) : IDisposable
    {
        private System.Buffers.MemoryHandle _memory = memory;

        public void* Pointer => _memory.Pointer;

        public void Dispose() => _memory.Dispose();
    }
}
