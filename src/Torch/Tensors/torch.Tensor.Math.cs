using Opt.Torch.Interop;

namespace Opt.Torch;

public static partial class torch
{
    private static readonly Op s_add = new("aten::add", "Tensor", "self other alpha");
    private static readonly Op s_addScalar = new("aten::add", "Scalar", "self other alpha");
    private static readonly Op s_addIn = new("aten::add_", "Tensor", "self other alpha");
    private static readonly Op s_addScalarIn = new("aten::add_", "Scalar", "self other alpha");
    private static readonly Op s_sub = new("aten::sub", "Tensor", "self other alpha");
    private static readonly Op s_subScalar = new("aten::sub", "Scalar", "self other alpha");
    private static readonly Op s_subIn = new("aten::sub_", "Tensor", "self other alpha");
    private static readonly Op s_mul = new("aten::mul", "Tensor", "self other");
    private static readonly Op s_mulScalar = new("aten::mul", "Scalar", "self other");
    private static readonly Op s_mulIn = new("aten::mul_", "Tensor", "self other");
    private static readonly Op s_mulScalarIn = new("aten::mul_", "Scalar", "self other");
    private static readonly Op s_div = new("aten::div", "Tensor", "self other");
    private static readonly Op s_divScalar = new("aten::div", "Scalar", "self other");
    private static readonly Op s_divIn = new("aten::div_", "Tensor", "self other");
    private static readonly Op s_divScalarIn = new("aten::div_", "Scalar", "self other");
    private static readonly Op s_addcmul = new("aten::addcmul_", "self tensor1 tensor2 value");
    private static readonly Op s_addcdiv = new("aten::addcdiv_", "self tensor1 tensor2 value");
    private static readonly Op s_lerp = new("aten::lerp_", "Scalar", "self end weight");
    private static readonly Op s_neg = new("aten::neg", "self");
    private static readonly Op s_sqrt = new("aten::sqrt", "self");
    private static readonly Op s_rsqrt = new("aten::rsqrt", "self");
    private static readonly Op s_square = new("aten::square", "self");
    private static readonly Op s_exp = new("aten::exp", "self");
    private static readonly Op s_log = new("aten::log", "self");
    private static readonly Op s_abs = new("aten::abs", "self");
    private static readonly Op s_tanh = new("aten::tanh", "self");
    private static readonly Op s_pow = new("aten::pow", "Tensor_Scalar", "self exponent");
    private static readonly Op s_clampIn = new("aten::clamp_", "self min max");
    private static readonly Op s_clamp = new("aten::clamp", "self min max");
    private static readonly Op s_matmul = new("aten::matmul", "self other");
    private static readonly Op s_mm = new("aten::mm", "self mat2");
    private static readonly Op s_bmm = new("aten::bmm", "self mat2");
    private static readonly Op s_addmm = new("aten::addmm", "self mat1 mat2 beta alpha");
    private static readonly Op s_baddbmm = new("aten::baddbmm", "self batch1 batch2 beta alpha");

    public static Tensor matmul(Tensor input, Tensor other) => s_matmul.Call(input, other);

    public sealed partial class Tensor
    {
        public static Tensor operator +(Tensor left, Tensor right) => left.add(right);

        public static Tensor operator +(Tensor left, Scalar right) => left.add(right);

        public static Tensor operator -(Tensor left, Tensor right) => left.sub(right);

        public static Tensor operator -(Tensor left, Scalar right) => left.sub(right);

        public static Tensor operator *(Tensor left, Tensor right) => left.mul(right);

        public static Tensor operator *(Tensor left, Scalar right) => left.mul(right);

        public static Tensor operator /(Tensor left, Tensor right) => left.div(right);

        public static Tensor operator /(Tensor left, Scalar right) => left.div(right);

        public static Tensor operator -(Tensor value) => value.neg();

        public Tensor add(Tensor other) => s_add.Call(this, other);

        public Tensor add(Tensor other, Scalar alpha) => s_add.Call(this, other, alpha);

        public Tensor add(Scalar other) => s_addScalar.Call(this, other);

        public Tensor add_(Tensor other) => s_addIn.CallInPlace(this, this, other);

        /// <summary>this += alpha * other.</summary>
        public Tensor add_(Tensor other, Scalar alpha) => s_addIn.CallInPlace(this, this, other, alpha);

        public Tensor add_(Scalar other) => s_addScalarIn.CallInPlace(this, this, other);

        public Tensor sub(Tensor other) => s_sub.Call(this, other);

        public Tensor sub(Scalar other) => s_subScalar.Call(this, other);

        public Tensor sub_(Tensor other) => s_subIn.CallInPlace(this, this, other);

        public Tensor mul(Tensor other) => s_mul.Call(this, other);

        public Tensor mul(Scalar other) => s_mulScalar.Call(this, other);

        public Tensor mul_(Tensor other) => s_mulIn.CallInPlace(this, this, other);

        public Tensor mul_(Scalar other) => s_mulScalarIn.CallInPlace(this, this, other);

        public Tensor div(Tensor other) => s_div.Call(this, other);

        public Tensor div(Scalar other) => s_divScalar.Call(this, other);

        public Tensor div_(Tensor other) => s_divIn.CallInPlace(this, this, other);

        public Tensor div_(Scalar other) => s_divScalarIn.CallInPlace(this, this, other);

        /// <summary>this += value * tensor1 * tensor2.</summary>
        public Tensor addcmul_(Tensor tensor1, Tensor tensor2, Scalar value) => s_addcmul.CallInPlace(this, this, tensor1, tensor2, value);

        /// <summary>this += value * tensor1 / tensor2.</summary>
        public Tensor addcdiv_(Tensor tensor1, Tensor tensor2, Scalar value) => s_addcdiv.CallInPlace(this, this, tensor1, tensor2, value);

        /// <summary>this += weight * (end - this).</summary>
        public Tensor lerp_(Tensor end, Scalar weight) => s_lerp.CallInPlace(this, this, end, weight);

        public Tensor neg() => s_neg.Call(this);

        public Tensor sqrt() => s_sqrt.Call(this);

        public Tensor rsqrt() => s_rsqrt.Call(this);

        public Tensor square() => s_square.Call(this);

        public Tensor exp() => s_exp.Call(this);

        public Tensor log() => s_log.Call(this);

        public Tensor abs() => s_abs.Call(this);

        public Tensor tanh() => s_tanh.Call(this);

        public Tensor pow(Scalar exponent) => s_pow.Call(this, exponent);

        public Tensor clamp(Scalar min, Scalar max) => s_clamp.Call(this, min, max);

        public Tensor clamp_(Scalar min, Scalar max) => s_clampIn.CallInPlace(this, this, min, max);

        public Tensor matmul(Tensor other) => s_matmul.Call(this, other);

        /// <summary>[n, k] x [k, m].</summary>
        public Tensor mm(Tensor mat2) => s_mm.Call(this, mat2);

        /// <summary>[b, n, k] x [b, k, m].</summary>
        public Tensor bmm(Tensor batch2) => s_bmm.Call(this, batch2);

        /// <summary>beta * this + alpha * mat1 x mat2.</summary>
        public Tensor addmm(Tensor mat1, Tensor mat2, float beta = 1, float alpha = 1) => s_addmm.Call(this, mat1, mat2, (double)beta, (double)alpha);

        /// <summary>beta * this + alpha * batch1 x batch2, for each of the batch.</summary>
        public Tensor baddbmm(Tensor batch1, Tensor batch2, float beta = 1, float alpha = 1) => s_baddbmm.Call(this, batch1, batch2, (double)beta, (double)alpha);
    }
}
