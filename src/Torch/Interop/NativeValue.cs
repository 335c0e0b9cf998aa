using System.Runtime.InteropServices;

namespace Opt.Torch.Interop;

/// <summary>The kinds of <see cref="NativeValue"/>; <c>opt_tag</c> of opttorch.h.</summary>
internal enum ValueTag
{
    None = 0,
    Tensor = 1,
    Int = 2,
    Double = 3,
    Bool = 4,
    IntList = 5,
    TensorList = 6,
    Device = 7,
    String = 8,
    DoubleList = 9,
    Generator = 10,
}

/// <summary>One argument or result of a boxed operator call; <c>opt_value</c> of opttorch.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeValue
{
    public ValueTag Tag;
    public int Count;
    public long Payload;
}
