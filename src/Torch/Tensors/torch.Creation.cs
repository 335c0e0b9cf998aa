using Opt.Torch.Interop;

namespace Opt.Torch;

public static partial class torch
{
    private static readonly Op s_empty = new("aten::empty", "memory_format", "size dtype device");
    private static readonly Op s_zeros = new("aten::zeros", "size dtype device");
    private static readonly Op s_ones = new("aten::ones", "size dtype device");
    private static readonly Op s_full = new("aten::full", "size fill_value dtype device");
    private static readonly Op s_arange = new("aten::arange", "start_step", "start end step dtype device");
    private static readonly Op s_randn = new("aten::randn", "generator", "size generator dtype device");
    private static readonly Op s_rand = new("aten::rand", "generator", "size generator dtype device");
    private static readonly Op s_randint = new("aten::randint", "low_generator", "low high size generator dtype device");
    private static readonly Op s_emptyLike = new("aten::empty_like", "self dtype");
    private static readonly Op s_zerosLike = new("aten::zeros_like", "self dtype");
    private static readonly Op s_onesLike = new("aten::ones_like", "self dtype");
    private static readonly Op s_eye = new("aten::eye", "n dtype device");

    /// <summary>A tensor whose elements are whatever the memory held.</summary>
    public static Tensor empty(ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Grad(s_empty.Call(size.ToArray(), dtype, device), requires_grad);

    public static Tensor zeros(ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Grad(s_zeros.Call(size.ToArray(), dtype, device), requires_grad);

    public static Tensor ones(ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Grad(s_ones.Call(size.ToArray(), dtype, device), requires_grad);

    /// <summary>All elements are <paramref name="value"/>.</summary>
    public static Tensor full(ReadOnlySpan<long> size, Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Grad(s_full.Call(size.ToArray(), value, dtype ?? float32, device), requires_grad);

    /// <summary>start, start + step, ... below stop.</summary>
    public static Tensor arange(Scalar start, Scalar stop, Scalar step, ScalarType? dtype = null, Device? device = null) =>
        s_arange.Call(start, stop, step, dtype, device);

    public static Tensor arange(Scalar stop, ScalarType? dtype = null, Device? device = null) => arange(0, stop, 1, dtype, device);

    /// <summary>Samples of the standard normal distribution.</summary>
    public static Tensor randn(ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null) =>
        Grad(s_randn.Call(size.ToArray(), generator, dtype, device), requires_grad);

    /// <summary>Samples of the uniform distribution on [0, 1).</summary>
    public static Tensor rand(ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null) =>
        Grad(s_rand.Call(size.ToArray(), generator, dtype, device), requires_grad);

    /// <summary>Integers in [low, high).</summary>
    public static Tensor randint(long low, long high, ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, Generator? generator = null) =>
        s_randint.Call(low, high, size.ToArray(), generator, dtype ?? int64, device);

    public static Tensor eye(long n, ScalarType? dtype = null, Device? device = null) => s_eye.Call(n, dtype, device);

    public static Tensor empty_like(Tensor input, ScalarType? dtype = null) => s_emptyLike.Call(input, dtype);

    public static Tensor zeros_like(Tensor input, ScalarType? dtype = null) => s_zerosLike.Call(input, dtype);

    public static Tensor ones_like(Tensor input, ScalarType? dtype = null) => s_onesLike.Call(input, dtype);

    private static Tensor Grad(Tensor made, bool requires_grad) => requires_grad ? made.requires_grad_() : made;
}
