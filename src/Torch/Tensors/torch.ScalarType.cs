using System.Diagnostics.CodeAnalysis;

namespace Opt.Torch;

public static partial class torch
{
    /// <summary>Element types; the values are libtorch's.</summary>
    [SuppressMessage("Design", "CA1028", Justification = "The width is TorchSharp's.")]
    public enum ScalarType : sbyte
    {
        Byte = 0,
        Int8 = 1,
        Int16 = 2,
        Int32 = 3,
        Int64 = 4,
        Float16 = 5,
        Float32 = 6,
        Float64 = 7,
        Bool = 11,
        BFloat16 = 15,
    }

    public const ScalarType uint8 = ScalarType.Byte;
    public const ScalarType int8 = ScalarType.Int8;
    public const ScalarType int16 = ScalarType.Int16;
    public const ScalarType int32 = ScalarType.Int32;
    public const ScalarType int64 = ScalarType.Int64;
    public const ScalarType float16 = ScalarType.Float16;
    public const ScalarType float32 = ScalarType.Float32;
    public const ScalarType float64 = ScalarType.Float64;
    public const ScalarType @bool = ScalarType.Bool;
    public const ScalarType bfloat16 = ScalarType.BFloat16;

    /// <summary>Bytes of one element.</summary>
    public static int ElementSize(this ScalarType type) => type switch
    {
        ScalarType.Byte or ScalarType.Int8 or ScalarType.Bool => 1,
        ScalarType.Int16 or ScalarType.Float16 or ScalarType.BFloat16 => 2,
        ScalarType.Int32 or ScalarType.Float32 => 4,
        ScalarType.Int64 or ScalarType.Float64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not an element type of this binding"),
    };

    /// <summary>The element type that a managed type stands for; <see cref="ushort"/> has none, since two 16-bit floats compete.</summary>
    public static ScalarType ToScalarType<T>() where T : unmanaged
    {
        if (typeof(T) == typeof(float)) { return float32; }
        if (typeof(T) == typeof(double)) { return float64; }
        if (typeof(T) == typeof(long)) { return int64; }
        if (typeof(T) == typeof(int)) { return int32; }
        if (typeof(T) == typeof(short)) { return int16; }
        if (typeof(T) == typeof(byte)) { return uint8; }
        if (typeof(T) == typeof(sbyte)) { return int8; }
        if (typeof(T) == typeof(bool)) { return @bool; }
        if (typeof(T) == typeof(Half)) { return float16; }
        throw new ArgumentException($"no element type of libtorch corresponds to {typeof(T).Name}", nameof(T));
    }
}
