using System.Buffers;
using System.Runtime.InteropServices;
using Opt.Trainer.Checkpoints.Safetensors;

namespace Opt.Trainer.Export;

/// <summary>Reads elements of a floating-point tensor as fp32, in pieces of bounded size.</summary>
internal static class FloatReader
{
    private const int Piece = 1 << 18;

    /// <param name="position">First element within the tensor.</param>
    /// <exception cref="FormatException">The tensor is not of a floating-point type this reads.</exception>
    public static void Read(SafetensorsFile file, SafetensorsTensor tensor, long position, Span<float> destination)
    {
        if (tensor.Dtype == SafetensorsDtype.F32)
        {
            file.Read(tensor, position * sizeof(float), MemoryMarshal.AsBytes(destination));
            return;
        }

        var buffer = ArrayPool<ushort>.Shared.Rent(Piece);
        try
        {
            for (var at = 0; at < destination.Length; at += Piece)
            {
                var halves = buffer.AsSpan(0, Math.Min(Piece, destination.Length - at));
                file.Read(tensor, (position + at) * sizeof(ushort), MemoryMarshal.AsBytes(halves));
                Widen(tensor, halves, destination.Slice(at, halves.Length));
            }
        }
        finally
        {
            ArrayPool<ushort>.Shared.Return(buffer);
        }
    }

    private static void Widen(SafetensorsTensor tensor, ReadOnlySpan<ushort> source, Span<float> destination)
    {
        switch (tensor.Dtype)
        {
            case SafetensorsDtype.F16:
                for (var i = 0; i < source.Length; i++) destination[i] = (float)BitConverter.UInt16BitsToHalf(source[i]);
                break;
            case SafetensorsDtype.BF16:
                for (var i = 0; i < source.Length; i++) destination[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
                break;
            default:
                throw new FormatException($"tensor {tensor.Name} has type {tensor.Dtype}; F32, F16 or BF16 are read");
        }
    }
}
