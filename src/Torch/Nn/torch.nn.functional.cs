using Opt.Torch.Interop;

namespace Opt.Torch;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>How a loss combines its elements; the values are libtorch's.</summary>
        public enum Reduction
        {
            None = 0,
            Mean = 1,
            Sum = 2,
        }

        public static partial class functional
        {
            private static readonly Op s_linear = new("aten::linear", "input weight bias");
            private static readonly Op s_layerNorm = new("aten::layer_norm", "input normalized_shape weight bias eps");
            private static readonly Op s_relu = new("aten::relu", "self");
            private static readonly Op s_reluIn = new("aten::relu_", "self");
            private static readonly Op s_gelu = new("aten::gelu", "self approximate");
            private static readonly Op s_softmax = new("aten::softmax", "int", "self dim dtype");
            private static readonly Op s_logSoftmax = new("aten::log_softmax", "int", "self dim dtype");
            private static readonly Op s_dropout = new("aten::dropout", "input p train");
            private static readonly Op s_embedding = new("aten::embedding", "weight indices padding_idx");
            private static readonly Op s_crossEntropy = new("aten::cross_entropy_loss", "self target weight reduction ignore_index label_smoothing");
            private static readonly Op s_nllLoss = new("aten::nll_loss", "self target weight reduction ignore_index");

            private static readonly Lazy<Op> s_attention = new(() => has_feature("op:aten::scaled_dot_product_attention")
                ? new Op("aten::scaled_dot_product_attention", "query key value attn_mask dropout_p is_causal")
                : new Op("aten::_scaled_dot_product_attention", "query key value attn_mask dropout_p is_causal"));

            /// <summary>input x weightsᵀ + bias; weights are [out, in].</summary>
            public static Tensor linear(Tensor input, Tensor weights, Tensor? bias = null) => s_linear.Call(input, weights, bias);

            public static Tensor layer_norm(Tensor input, long[] normalized_shape, Tensor? weight = null, Tensor? bias = null, double eps = 1e-5) =>
                s_layerNorm.Call(input, normalized_shape, weight, bias, eps);

            public static Tensor relu(Tensor input, bool inplace = false) => inplace ? s_reluIn.CallInPlace(input, input) : s_relu.Call(input);

            /// <summary>x times the normal distribution function at x; <c>tanh</c> for the approximation of GPT-2.</summary>
            public static Tensor gelu(Tensor input, string approximate = "none") => s_gelu.Call(input, approximate);

            public static Tensor softmax(Tensor input, long dim, ScalarType? dtype = null) => s_softmax.Call(input, dim, dtype);

            public static Tensor log_softmax(Tensor input, long dim, ScalarType? dtype = null) => s_logSoftmax.Call(input, dim, dtype);

            /// <summary>Dropout from the default generator. Training uses <see cref="torch.ops.opt.keyed_dropout"/>, which no order of calls can change.</summary>
            public static Tensor dropout(Tensor input, double p = 0.5, bool training = true) => s_dropout.Call(input, p, training);

            /// <summary>Rows of <paramref name="weight"/> by index; indices of any shape, int64 or int32.</summary>
            public static Tensor embedding(Tensor indices, Tensor weight, long padding_idx = -1) => s_embedding.Call(weight, indices, padding_idx);

            /// <summary>Negative log-likelihood of class indices under softmax(input); input [N, C], target [N] int64.</summary>
            public static Tensor cross_entropy(Tensor input, Tensor target, Tensor? weight = null, long ignore_index = -100,
                Reduction reduction = Reduction.Mean, double label_smoothing = 0.0) =>
                s_crossEntropy.Call(input, target, weight, (long)reduction, ignore_index, label_smoothing);

            /// <summary>As <see cref="cross_entropy"/>, of log-probabilities.</summary>
            public static Tensor nll_loss(Tensor input, Tensor target, Tensor? weight = null, long ignore_index = -100, Reduction reduction = Reduction.Mean) =>
                s_nllLoss.Call(input, target, weight, (long)reduction, ignore_index);

            /// <summary>softmax(query keyᵀ / √d) value for [..., length, d], by the library's own kernel.</summary>
            public static Tensor scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask = null, double p = 0.0, bool is_causal = false)
            {
                var results = s_attention.Value.CallMany(2, query, key, value, attn_mask, p, is_causal);
                if (results.Length > 1)
                {
                    results[1]?.Dispose(); // the older operator also returns the weights
                }

                return results[0];
            }
        }
    }
}
