using System.Runtime.InteropServices;
using static Opt.Torch.torch;

namespace Opt.Torch.Interop;

internal static unsafe partial class Native
{
    [LibraryImport(Library, EntryPoint = "opt_tensor_free")]
    public static partial void TensorFree(nint tensor);

    [LibraryImport(Library, EntryPoint = "opt_tensor_alias")]
    public static partial int TensorAlias(Tensor tensor, out nint result);

    [LibraryImport(Library, EntryPoint = "opt_tensor_info")]
    public static partial int TensorInfo(Tensor tensor, Span<long> shape, Span<long> stride, int capacity, out int dim, out int dtype, out int device, out int flags);

    [LibraryImport(Library, EntryPoint = "opt_tensor_data")]
    public static partial int TensorData(Tensor tensor, out nint data);

    [LibraryImport(Library, EntryPoint = "opt_tensor_from_blob")]
    public static partial int TensorFromBlob(nint data, ReadOnlySpan<long> shape, int dim, int dtype, delegate* unmanaged<nint, void> release, nint context, out nint result);

    [LibraryImport(Library, EntryPoint = "opt_tensor_item")]
    public static partial int TensorItem(Tensor tensor, out double real, out long integer);

    [LibraryImport(Library, EntryPoint = "opt_tensor_grad")]
    public static partial int TensorGrad(Tensor tensor, out nint grad);

    [LibraryImport(Library, EntryPoint = "opt_tensor_set_grad")]
    public static partial int TensorSetGrad(Tensor tensor, nint grad);

    [LibraryImport(Library, EntryPoint = "opt_tensor_set_requires_grad")]
    public static partial int TensorSetRequiresGrad(Tensor tensor, int value);

    [LibraryImport(Library, EntryPoint = "opt_manual_seed")]
    public static partial int ManualSeed(ulong seed);

    [LibraryImport(Library, EntryPoint = "opt_generator_new")]
    public static partial int GeneratorNew(ulong seed, int device, out nint generator);

    [LibraryImport(Library, EntryPoint = "opt_generator_default")]
    public static partial int GeneratorDefault(out nint generator);

    [LibraryImport(Library, EntryPoint = "opt_generator_free")]
    public static partial void GeneratorFree(nint generator);

    [LibraryImport(Library, EntryPoint = "opt_generator_seed")]
    public static partial int GeneratorSeed(Generator generator, ulong seed);

    [LibraryImport(Library, EntryPoint = "opt_generator_get_state")]
    public static partial int GeneratorGetState(Generator generator, out nint state);

    [LibraryImport(Library, EntryPoint = "opt_generator_set_state")]
    public static partial int GeneratorSetState(Generator generator, Tensor state);

    [LibraryImport(Library, EntryPoint = "opt_grad_mode_get")]
    public static partial int GradModeGet();

    [LibraryImport(Library, EntryPoint = "opt_grad_mode_set")]
    public static partial int GradModeSet(int enabled);

    [LibraryImport(Library, EntryPoint = "opt_autograd_grad")]
    public static partial int AutogradGrad(ReadOnlySpan<nint> outputs, int outputCount, ReadOnlySpan<nint> inputs, int inputCount, ReadOnlySpan<nint> gradOutputs, int retainGraph, int createGraph, int allowUnused, Span<nint> results);

    [LibraryImport(Library, EntryPoint = "opt_autograd_backward")]
    public static partial int AutogradBackward(ReadOnlySpan<nint> tensors, int count, ReadOnlySpan<nint> gradTensors, int retainGraph, int createGraph);

    [LibraryImport(Library, EntryPoint = "opt_adamw_step")]
    public static partial int AdamwStep(Tensor param, Tensor grad, Tensor expAvg, Tensor expAvgSq, in AdamWOptions options);

    [LibraryImport(Library, EntryPoint = "opt_sum_of_squares")]
    public static partial int SumOfSquares(Tensor flat, out double sum);

    [LibraryImport(Library, EntryPoint = "opt_keyed_dropout")]
    public static partial int KeyedDropout(Tensor input, double p, in NativeDropoutKey key, out nint result);

    [LibraryImport(Library, EntryPoint = "opt_keyed_dropout_mask")]
    public static partial int KeyedDropoutMask(double p, in NativeDropoutKey key, long inner, out nint mask);

    [LibraryImport(Library, EntryPoint = "opt_keyed_normal")]
    public static partial int KeyedNormal(Tensor output, ulong seed, ulong stream, ulong offset, double mean, double std);

    [LibraryImport(Library, EntryPoint = "opt_causal_attention")]
    public static partial int CausalAttention(Tensor query, Tensor key, Tensor value, double scale, double p, NativeDropoutKey* dropout, out nint result);

    [LibraryImport(Library, EntryPoint = "opt_cross_entropy")]
    public static partial int CrossEntropy(Tensor logits, Tensor targets, Tensor losses, double gradScale);

    [LibraryImport(Library, EntryPoint = "opt_linear_cross_entropy")]
    public static partial int LinearCrossEntropy(Tensor hidden, Tensor weight, Tensor targets, Tensor losses, double gradScale, long chunk, nint gradHidden, nint gradWeight);

    [LibraryImport(Library, EntryPoint = "opt_parallel_copy")]
    public static partial int ParallelCopy(GroupHandle group, Tensor input, out nint result);

    [LibraryImport(Library, EntryPoint = "opt_parallel_reduce")]
    public static partial int ParallelReduce(GroupHandle group, Tensor input, out nint result);
}
