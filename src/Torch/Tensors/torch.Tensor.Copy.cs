using Opt.Torch.Interop;

namespace Opt.Torch;

public static partial class torch
{
    private static readonly Op s_contiguous = new("aten::contiguous", "self");
    private static readonly Op s_clone = new("aten::clone", "self");
    private static readonly Op s_detach = new("aten::detach", "self");
    private static readonly Op s_copy = new("aten::copy_", "self src non_blocking");
    private static readonly Op s_toDtype = new("aten::to", "dtype", "self dtype non_blocking copy");
    private static readonly Op s_toDevice = new("aten::to", "dtype_layout", "self dtype device non_blocking copy");
    private static readonly Op s_zero = new("aten::zero_", "self");
    private static readonly Op s_fill = new("aten::fill_", "Scalar", "self value");
    private static readonly Op s_normalIn = new("aten::normal_", "self mean std generator");
    private static readonly Op s_uniformIn = new("aten::uniform_", "self from to generator");
    private static readonly Op s_pinMemory = new("aten::pin_memory", "self");

    public sealed partial class Tensor
    {
        /// <summary>This tensor in row-major order: itself if it is so already, a copy if not. Either way a new handle.</summary>
        public Tensor contiguous() => s_contiguous.Call(this);

        public Tensor clone() => s_clone.Call(this);

        /// <summary>The same memory, outside the graph.</summary>
        public Tensor detach() => s_detach.Call(this);

        public Tensor copy_(Tensor source, bool nonBlocking = false) => s_copy.CallInPlace(this, this, source, nonBlocking);

        /// <summary>Converts the elements; without <paramref name="copy"/>, a tensor that needs none is returned under a new handle.</summary>
        public Tensor to(ScalarType type, bool copy = false, bool non_blocking = false) => s_toDtype.Call(this, type, non_blocking, copy);

        public Tensor to(Device device, bool copy = false, bool non_blocking = false) => s_toDevice.Call(this, Arg.None, device, non_blocking, copy);

        public Tensor to(ScalarType type, Device device, bool copy = false, bool non_blocking = false) => s_toDevice.Call(this, type, device, non_blocking, copy);

        public Tensor cpu() => to(CPU);

        public Tensor cuda(Device? device = null) => to(device ?? CUDA);

        public Tensor pin_memory() => s_pinMemory.Call(this);

        public Tensor zero_() => s_zero.CallInPlace(this, this);

        public Tensor fill_(Scalar value) => s_fill.CallInPlace(this, this, value);

        public Tensor normal_(double mean = 0, double std = 1, Generator? generator = null) => s_normalIn.CallInPlace(this, this, mean, std, generator);

        public Tensor uniform_(double from = 0, double to = 1, Generator? generator = null) => s_uniformIn.CallInPlace(this, this, from, to, generator);
    }
}
