using Opt.Torch.Interop;

namespace Opt.Torch;

/// <summary>A number whose kind (integer, real, boolean) takes part in libtorch's type promotion.</summary>
public readonly struct Scalar : IEquatable<Scalar>
{
    private readonly Arg _value;

    private Scalar(Arg value) => _value = value;

    public static implicit operator Scalar(int value) => new((long)value);

    public static implicit operator Scalar(long value) => new(value);

    public static implicit operator Scalar(float value) => new((double)value);

    public static implicit operator Scalar(double value) => new(value);

    public static implicit operator Scalar(bool value) => new(value);

    public static bool operator ==(Scalar left, Scalar right) => left.Equals(right);

    public static bool operator !=(Scalar left, Scalar right) => !left.Equals(right);

    public bool Equals(Scalar other) => _value.Tag == other._value.Tag && _value.Bits == other._value.Bits;

    public override bool Equals(object? obj) => obj is Scalar other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(_value.Tag, _value.Bits);

    internal Arg ToArg() => _value.Tag == ValueTag.None ? 0L : _value;
}
