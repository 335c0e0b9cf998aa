using static Opt.Torch.torch;

namespace Opt.Torch.Interop;

/// <summary>One argument of an operator call, before its references are pinned down for the native side.</summary>
internal readonly struct Arg
{
    public readonly ValueTag Tag;
    public readonly long Bits;
    public readonly object? Reference;

    private Arg(ValueTag tag, long bits, object? reference = null)
    {
        Tag = tag;
        Bits = bits;
        Reference = reference;
    }

    public static Arg None => default;

    public static implicit operator Arg(Tensor? tensor) => tensor is null ? default : new(ValueTag.Tensor, 0, tensor);

    public static implicit operator Arg(Tensor[] tensors) => new(ValueTag.TensorList, 0, tensors);

    public static implicit operator Arg(long value) => new(ValueTag.Int, value);

    public static implicit operator Arg(double value) => new(ValueTag.Double, BitConverter.DoubleToInt64Bits(value));

    public static implicit operator Arg(bool value) => new(ValueTag.Bool, value ? 1 : 0);

    public static implicit operator Arg(long[]? list) => list is null ? default : new(ValueTag.IntList, 0, list);

    public static implicit operator Arg(string? text) => text is null ? default : new(ValueTag.String, 0, text);

    public static implicit operator Arg(ScalarType? dtype) => dtype is { } type ? new(ValueTag.Int, (long)type) : default;

    public static implicit operator Arg(ScalarType dtype) => new(ValueTag.Int, (long)dtype);

    public static implicit operator Arg(Device? device) => device is null ? default : new(ValueTag.Device, device.Packed);

    public static implicit operator Arg(Generator? generator) => generator is null ? default : new(ValueTag.Generator, 0, generator);

    public static implicit operator Arg(Scalar scalar) => scalar.ToArg();
}
