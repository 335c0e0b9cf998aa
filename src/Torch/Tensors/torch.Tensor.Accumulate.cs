using Opt.Torch.Interop;

namespace Opt.Torch;

public static partial class torch
{
    private static readonly Op s_addmmIn = new("aten::addmm_", "self mat1 mat2 beta alpha");
    private static readonly Op s_expIn = new("aten::exp_", "self");
    private static readonly Op s_scatterAdd = new("aten::scatter_add_", "self dim index src");

    public sealed partial class Tensor
    {
        /// <summary>this = beta * this + alpha * mat1 x mat2, in place: gradients of a product accumulate without a temporary.</summary>
        public Tensor addmm_(Tensor mat1, Tensor mat2, double beta = 1, double alpha = 1) => s_addmmIn.CallInPlace(this, this, mat1, mat2, beta, alpha);

        public Tensor exp_() => s_expIn.CallInPlace(this, this);

        /// <summary>Adds <paramref name="src"/> at the indices along a dimension; equal indices add up.</summary>
        public Tensor scatter_add_(long dim, Tensor index, Tensor src) => s_scatterAdd.CallInPlace(this, this, dim, index, src);
    }
}
