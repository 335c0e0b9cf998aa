using System.Runtime.InteropServices;
using Opt.Torch.Interop;

namespace Opt.Torch;

/// <summary>libtorch for .NET, under TorchSharp's names.</summary>
public static partial class torch
{
    /// <summary>
    /// A tensor. It is its own safe handle: disposing it gives back one reference to the native tensor, the finalizer does
    /// so for a forgotten one, and a disposed tensor throws <see cref="ObjectDisposedException"/> before native code sees it.
    /// </summary>
    /// <remarks>Different tensors may be used on different threads at once; one tensor by one thread at a time, reads excepted.</remarks>
    public sealed partial class Tensor : SafeHandle
    {
        private const int MaxDimensions = 16;
        private const int FlagContiguous = 1;
        private const int FlagRequiresGrad = 2;
        private const int FlagLeaf = 4;

        private static long s_live;

        private long[]? _shape;
        private long[] _stride = [];
        private ScalarType _dtype;
        private Device _device = CPU;

        internal Tensor(nint native) : base(0, ownsHandle: true)
        {
            SetHandle(native);
            Interlocked.Increment(ref s_live);
            s_scope?.Add(this);
        }

        /// <summary>Tensors alive in this process: made, and neither disposed nor finalized.</summary>
        public static long TotalCount => Interlocked.Read(ref s_live);

        public override bool IsInvalid => handle == 0;

        internal DisposeScope? Scope { get; set; }

        internal int ScopeIndex { get; set; }

        /// <summary>Sizes by dimension. A shared array: not to be written to.</summary>
        public long[] shape
        {
            get
            {
                Describe();
                return _shape!;
            }
        }

        /// <summary>Steps in elements by dimension. A shared array: not to be written to.</summary>
        public long[] stride()
        {
            Describe();
            return _stride;
        }

        public ScalarType dtype
        {
            get
            {
                Describe();
                return _dtype;
            }
        }

        public Device device
        {
            get
            {
                Describe();
                return _device;
            }
        }

        public int dim() => shape.Length;

        public long size(int dimension) => shape[dimension < 0 ? dimension + shape.Length : dimension];

        public long numel()
        {
            var count = 1L;
            foreach (var size in shape)
            {
                count *= size;
            }

            return count;
        }

        public bool is_contiguous() => (Flags() & FlagContiguous) != 0;

        public bool is_leaf => (Flags() & FlagLeaf) != 0;

        public bool requires_grad
        {
            get => (Flags() & FlagRequiresGrad) != 0;
            set => Native.Check(Native.TensorSetRequiresGrad(this, value ? 1 : 0));
        }

        /// <summary>Marks the tensor as one whose gradient is wanted.</summary>
        public Tensor requires_grad_(bool requires_grad = true)
        {
            this.requires_grad = requires_grad;
            return this;
        }

        /// <summary>The accumulated gradient, or null. Each read makes a new handle.</summary>
        public Tensor? grad
        {
            get
            {
                Native.Check(Native.TensorGrad(this, out var gradient));
                return gradient == 0 ? null : new Tensor(gradient);
            }

            set
            {
                using var held = new HeldHandles(value is null ? null : [value]);
                Native.Check(Native.TensorSetGrad(this, value is null ? 0 : held.Values[0]));
            }
        }

        /// <summary>A second handle to the same tensor, for an owner of its own.</summary>
        public Tensor alias()
        {
            Native.Check(Native.TensorAlias(this, out var result));
            return new Tensor(result);
        }

        /// <summary>Hands the tensor to the scope around the current one.</summary>
        public Tensor MoveToOuterDisposeScope() => Scope is { } scope ? scope.MoveToOuter(this) : this;

        /// <summary>Takes the tensor out of all scopes: whoever holds it disposes it.</summary>
        public Tensor DetachFromDisposeScope() => Scope is { } scope ? scope.Detach(this) : this;

        public override string ToString() => IsClosed ? "tensor (disposed)" : $"tensor [{string.Join(", ", shape)}] {dtype} {device}";

        protected override bool ReleaseHandle()
        {
            Native.TensorFree(handle);
            Interlocked.Decrement(ref s_live);
            return true;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                Scope?.Remove(this);
            }

            base.Dispose(disposing);
        }

        // Nothing in this binding changes the shape, type or place of a live tensor, so they are asked for once.
        private void Describe()
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            if (_shape is null)
            {
                Flags();
            }
        }

        private int Flags()
        {
            Span<long> sizes = stackalloc long[MaxDimensions], strides = stackalloc long[MaxDimensions];
            Native.Check(Native.TensorInfo(this, sizes, strides, MaxDimensions, out var dim, out var type, out var where, out var flags));
            if (_shape is null)
            {
                _dtype = (ScalarType)type;
                _device = Device.Unpack(where);
                _stride = strides[..dim].ToArray();
                _shape = sizes[..dim].ToArray();
            }

            return flags;
        }
    }
}
