using Opt.Torch.Interop;

namespace Opt.Torch;

public static partial class torch
{
    private static readonly Op s_sum = new("aten::sum", "self dtype");
    private static readonly Op s_sumDim = new("aten::sum", "dim_IntList", "self dim keepdim dtype");
    private static readonly Op s_mean = new("aten::mean", "self");
    private static readonly Op s_meanDim = new("aten::mean", "dim", "self dim keepdim dtype");
    private static readonly Op s_norm = new("aten::norm", "Scalar", "self p");
    private static readonly Op s_vectorNorm = new("aten::linalg_vector_norm", "self ord dim keepdim dtype");
    private static readonly Op s_max = new("aten::max", "self");
    private static readonly Op s_min = new("aten::min", "self");
    private static readonly Op s_amax = new("aten::amax", "self dim keepdim");
    private static readonly Op s_amin = new("aten::amin", "self dim keepdim");
    private static readonly Op s_argmax = new("aten::argmax", "self dim keepdim");
    private static readonly Op s_logsumexp = new("aten::logsumexp", "self dim keepdim");
    private static readonly Op s_cumsum = new("aten::cumsum", "self dim");
    private static readonly Op s_isfinite = new("aten::isfinite", "self");
    private static readonly Op s_isnan = new("aten::isnan", "self");
    private static readonly Op s_any = new("aten::any", "self");
    private static readonly Op s_all = new("aten::all", "self");
    private static readonly Op s_equal = new("aten::equal", "self other");
    private static readonly Op s_allclose = new("aten::allclose", "self other rtol atol");
    private static readonly Op s_eq = new("aten::eq", "Tensor", "self other");
    private static readonly Op s_eqScalar = new("aten::eq", "Scalar", "self other");
    private static readonly Op s_neScalar = new("aten::ne", "Scalar", "self other");
    private static readonly Op s_ltScalar = new("aten::lt", "Scalar", "self other");
    private static readonly Op s_leScalar = new("aten::le", "Scalar", "self other");
    private static readonly Op s_gtScalar = new("aten::gt", "Scalar", "self other");
    private static readonly Op s_geScalar = new("aten::ge", "Scalar", "self other");
    private static readonly Op s_logicalAnd = new("aten::logical_and", "self other");
    private static readonly Op s_logicalOr = new("aten::logical_or", "self other");
    private static readonly Op s_logicalNot = new("aten::logical_not", "self");

    public sealed partial class Tensor
    {
        public Tensor sum() => s_sum.Call(this);

        /// <summary>The sum of all elements, accumulated in <paramref name="type"/>.</summary>
        public Tensor sum(ScalarType type) => s_sum.Call(this, type);

        public Tensor sum(long[] dim, bool keepdim = false, ScalarType? type = null) => s_sumDim.Call(this, dim, keepdim, type);

        // An int, not a long: a literal 0 would sooner become a ScalarType.
        public Tensor sum(int dim, bool keepdim = false, ScalarType? type = null) => sum([dim], keepdim, type);

        public Tensor mean() => s_mean.Call(this);

        public Tensor mean(long[] dimensions, bool keepdim = false, ScalarType? type = null) => s_meanDim.Call(this, dimensions, keepdim, type);

        /// <summary>The p-norm of all elements.</summary>
        public Tensor norm(float p = 2.0f) => s_norm.Call(this, (double)p);

        /// <summary>The vector norm over dimensions, accumulated in <paramref name="type"/>.</summary>
        public Tensor vector_norm(double ord = 2, long[]? dims = null, bool keepdim = false, ScalarType? type = null) => s_vectorNorm.Call(this, ord, dims, keepdim, type);

        public Tensor max() => s_max.Call(this);

        public Tensor min() => s_min.Call(this);

        /// <summary>The largest values over dimensions.</summary>
        public Tensor amax(long[] dims, bool keepdim = false) => s_amax.Call(this, dims, keepdim);

        /// <summary>The smallest values over dimensions.</summary>
        public Tensor amin(long[] dims, bool keepdim = false) => s_amin.Call(this, dims, keepdim);

        public Tensor argmax() => s_argmax.Call(this);

        public Tensor argmax(long dim, bool keepdim = false) => s_argmax.Call(this, dim, keepdim);

        public Tensor logsumexp(long dim, bool keepdim = false) => s_logsumexp.Call(this, new[] { dim }, keepdim);

        public Tensor cumsum(long dim) => s_cumsum.Call(this, dim);

        public Tensor isfinite() => s_isfinite.Call(this);

        public Tensor isnan() => s_isnan.Call(this);

        public Tensor any() => s_any.Call(this);

        public Tensor all() => s_all.Call(this);

        /// <summary>Same shape and, bit patterns of NaN aside, the same elements.</summary>
        public bool equal(Tensor other) => s_equal.CallInteger(this, other) != 0;

        /// <summary>|this - other| &lt;= atol + rtol * |other| everywhere.</summary>
        public bool allclose(Tensor other, double rtol = 1e-5, double atol = 1e-8) => s_allclose.CallInteger(this, other, rtol, atol) != 0;

        public Tensor eq(Tensor other) => s_eq.Call(this, other);

        public Tensor eq(Scalar other) => s_eqScalar.Call(this, other);

        public Tensor ne(Scalar other) => s_neScalar.Call(this, other);

        public Tensor lt(Scalar other) => s_ltScalar.Call(this, other);

        public Tensor le(Scalar other) => s_leScalar.Call(this, other);

        public Tensor gt(Scalar other) => s_gtScalar.Call(this, other);

        public Tensor ge(Scalar other) => s_geScalar.Call(this, other);

        public Tensor logical_and(Tensor other) => s_logicalAnd.Call(this, other);

        public Tensor logical_or(Tensor other) => s_logicalOr.Call(this, other);

        public Tensor logical_not() => s_logicalNot.Call(this);
    }
}
