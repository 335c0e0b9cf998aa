using Opt.Torch.Interop;

namespace Opt.Torch;

public static partial class torch
{
    private static readonly Op s_view = new("aten::view", "self size");
    private static readonly Op s_viewDtype = new("aten::view", "dtype", "self dtype");
    private static readonly Op s_reshape = new("aten::reshape", "self shape");
    private static readonly Op s_transpose = new("aten::transpose", "int", "self dim0 dim1");
    private static readonly Op s_permute = new("aten::permute", "self dims");
    private static readonly Op s_t = new("aten::t", "self");
    private static readonly Op s_narrow = new("aten::narrow", "self dim start length");
    private static readonly Op s_slice = new("aten::slice", "Tensor", "self dim start end step");
    private static readonly Op s_select = new("aten::select", "int", "self dim index");
    private static readonly Op s_expand = new("aten::expand", "self size");
    private static readonly Op s_repeat = new("aten::repeat", "self repeats");
    private static readonly Op s_unsqueeze = new("aten::unsqueeze", "self dim");
    private static readonly Op s_squeeze = new("aten::squeeze", "dim", "self dim");
    private static readonly Op s_flatten = new("aten::flatten", "using_ints", "self start_dim end_dim");
    private static readonly Op s_indexSelect = new("aten::index_select", "self dim index");
    private static readonly Op s_gather = new("aten::gather", "self dim index");
    private static readonly Op s_scatter = new("aten::scatter_", "src", "self dim index src");
    private static readonly Op s_indexAdd = new("aten::index_add_", "self dim index source alpha");
    private static readonly Op s_split = new("aten::split_with_sizes", "self split_sizes dim");
    private static readonly Op s_chunk = new("aten::chunk", "self chunks dim");
    private static readonly Op s_unbind = new("aten::unbind", "int", "self dim");
    private static readonly Op s_cat = new("aten::cat", "tensors dim");
    private static readonly Op s_stack = new("aten::stack", "tensors dim");
    private static readonly Op s_tril = new("aten::tril", "self diagonal");
    private static readonly Op s_triu = new("aten::triu", "self diagonal");
    private static readonly Op s_maskedFill = new("aten::masked_fill", "Scalar", "self mask value");
    private static readonly Op s_maskedFillIn = new("aten::masked_fill_", "Scalar", "self mask value");
    private static readonly Op s_where = new("aten::where", "self", "condition self other");

    /// <summary>Joins tensors along an existing dimension.</summary>
    public static Tensor cat(IReadOnlyList<Tensor> tensors, long dim = 0) => s_cat.Call(tensors.ToArray(), dim);

    /// <summary>Joins tensors of one shape along a new dimension.</summary>
    public static Tensor stack(IReadOnlyList<Tensor> tensors, long dim = 0) => s_stack.Call(tensors.ToArray(), dim);

    public static Tensor where(Tensor condition, Tensor x, Tensor y) => s_where.Call(condition, x, y);

    public sealed partial class Tensor
    {
        /// <summary>The same memory with another shape; -1 stands for what is left over.</summary>
        public Tensor view(params long[] shape) => s_view.Call(this, shape);

        // A literal 0 would sooner become a ScalarType.
        public Tensor view(int size) => s_view.Call(this, new long[] { size });

        /// <summary>The same memory read as another element type.</summary>
        public Tensor view(ScalarType dtype) => s_viewDtype.Call(this, dtype);

        public Tensor reshape(params long[] shape) => s_reshape.Call(this, shape);

        public Tensor transpose(long dim0, long dim1) => s_transpose.Call(this, dim0, dim1);

        public Tensor permute(params long[] permutation) => s_permute.Call(this, permutation);

        public Tensor t() => s_t.Call(this);

        /// <summary>A view of <paramref name="length"/> entries of a dimension from <paramref name="start"/> on.</summary>
        public Tensor narrow(long dim, long start, long length) => s_narrow.Call(this, dim, start, length);

        /// <summary>A view of every <paramref name="step"/>-th entry of a dimension in [start, finish).</summary>
        public Tensor slice(long dim, long start, long finish, long step = 1) => s_slice.Call(this, dim, start, finish, step);

        public Tensor select(long dim, long index) => s_select.Call(this, dim, index);

        public Tensor expand(params long[] size) => s_expand.Call(this, size);

        public Tensor repeat(params long[] repeats) => s_repeat.Call(this, repeats);

        public Tensor unsqueeze(long dim) => s_unsqueeze.Call(this, dim);

        public Tensor squeeze(long dim) => s_squeeze.Call(this, dim);

        public Tensor flatten(long start_dim = 0, long end_dim = -1) => s_flatten.Call(this, start_dim, end_dim);

        public Tensor index_select(long dim, Tensor index) => s_indexSelect.Call(this, dim, index);

        public Tensor gather(long dim, Tensor index) => s_gather.Call(this, dim, index);

        public Tensor scatter_(long dim, Tensor index, Tensor src) => s_scatter.CallInPlace(this, this, dim, index, src);

        public Tensor index_add_(long dim, Tensor index, Tensor source, Scalar alpha) => s_indexAdd.CallInPlace(this, this, dim, index, source, alpha);

        /// <summary>Views of <paramref name="size"/> entries each along a dimension; the last may be smaller.</summary>
        public Tensor[] split(long size, int dim = 0)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
            var total = this.size(dim);
            var parts = Math.Max(1, (total + size - 1) / size);
            var sizes = new long[parts];
            for (var i = 0; i < parts; i++)
            {
                sizes[i] = Math.Min(size, total - i * size);
            }

            return split(sizes, dim);
        }

        /// <summary>Views of the given sizes along a dimension.</summary>
        public Tensor[] split(long[] sizes, long dim = 0) => s_split.CallMany(sizes.Length, this, sizes, dim);

        public Tensor[] chunk(long chunks, long dim = 0) => s_chunk.CallMany(checked((int)chunks), this, chunks, dim);

        public Tensor[] unbind(int dim = 0) => s_unbind.CallMany(checked((int)size(dim)), this, (long)dim);

        public Tensor tril(long diagonal = 0) => s_tril.Call(this, diagonal);

        public Tensor triu(long diagonal = 0) => s_triu.Call(this, diagonal);

        public Tensor masked_fill(Tensor mask, Scalar value) => s_maskedFill.Call(this, mask, value);

        public Tensor masked_fill_(Tensor mask, Scalar value) => s_maskedFillIn.CallInPlace(this, this, mask, value);
    }
}
