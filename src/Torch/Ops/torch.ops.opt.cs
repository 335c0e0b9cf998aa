using Opt.Torch.Interop;

namespace Opt.Torch;

public static partial class torch
{
    public static class ops
    {
        /// <summary>Compound operations of training loops that live in the shim: one native call, one pass over memory.</summary>
        public static class opt
        {
            /// <summary>
            /// One AdamW update in place of contiguous fp32 tensors of equal length (a flat shard and its states), in all threads.
            /// <paramref name="param"/> may be float16 or bfloat16: the update is computed in fp32 and rounded.
            /// </summary>
            public static void adamw_step(Tensor param, Tensor grad, Tensor exp_avg, Tensor exp_avg_sq, in AdamWOptions options) =>
                Native.Check(Native.AdamwStep(param, grad, exp_avg, exp_avg_sq, options));

            /// <summary>
            /// Σx² in double, in an order that does not depend on the number of threads. For fp32 it is finite if and only if every
            /// element is, so it serves as the check for overflow too.
            /// </summary>
            public static double sum_of_squares(Tensor flat)
            {
                Native.Check(Native.SumOfSquares(flat, out var sum));
                return sum;
            }

            /// <summary>
            /// Dropout whose mask is a pure function of its key. <paramref name="input"/> is [samples, heads, ...] (or
            /// [samples * heads, ...], or [samples, ...] with one head). Differentiable; backward draws the same mask again.
            /// </summary>
            /// <remarks>The words are Philox4x32-10's: key = seed, counter = (element / 4, layer·2²⁰ + site·2¹⁶ + head, sample).</remarks>
            public static unsafe Tensor keyed_dropout(Tensor input, double p, in DropoutKey key)
            {
                fixed (long* samples = key.Samples)
                {
                    Native.Check(Native.KeyedDropout(input, p, NativeDropoutKey.From(key, samples), out var result));
                    return new Tensor(result);
                }
            }

            /// <summary>The mask alone: [samples * heads, inner] of bool, true where kept.</summary>
            public static unsafe Tensor keyed_dropout_mask(double p, in DropoutKey key, long inner)
            {
                fixed (long* samples = key.Samples)
                {
                    Native.Check(Native.KeyedDropoutMask(p, NativeDropoutKey.From(key, samples), inner, out var mask));
                    return new Tensor(mask);
                }
            }

            /// <summary>
            /// Fills a contiguous fp32 tensor with elements [offset, offset + n) of the normal stream (seed, stream): any slice of a
            /// parameter can be initialised alone and agrees with the whole.
            /// </summary>
            public static Tensor keyed_normal_(Tensor output, ulong seed, ulong stream, ulong offset, double mean = 0, double std = 1)
            {
                Native.Check(Native.KeyedNormal(output, seed, stream, offset, mean, std));
                return output;
            }

            /// <summary>softmax(scale · query keyᵀ + causal mask) value for [batch, heads, length, d], with keyed dropout of the weights.</summary>
            /// <param name="dropout">Key of the weights' mask; needed when <paramref name="p"/> is above 0.</param>
            public static unsafe Tensor causal_attention(Tensor query, Tensor key, Tensor value, double scale, double p = 0, DropoutKey? dropout = null)
            {
                fixed (long* samples = dropout?.Samples)
                {
                    var native = dropout is { } given ? NativeDropoutKey.From(given, samples) : default;
                    Native.Check(Native.CausalAttention(query, key, value, scale, p, dropout is null ? null : &native, out var result));
                    return new Tensor(result);
                }
            }

            /// <summary>
            /// The loss of each token and, in place of the logits, its gradient: grad_scale · (softmax(logits) − onehot(target)).
            /// </summary>
            /// <param name="logits">[tokens, vocabulary], contiguous; overwritten.</param>
            /// <param name="targets">[tokens], int64; a negative one is padding: loss 0, gradient 0.</param>
            /// <param name="losses">[tokens], float32; receives nats.</param>
            /// <param name="grad_scale">Weight of every token in the loss that is differentiated.</param>
            public static void cross_entropy_(Tensor logits, Tensor targets, Tensor losses, double grad_scale) =>
                Native.Check(Native.CrossEntropy(logits, targets, losses, grad_scale));

            /// <summary>
            /// A language model's head, loss and backward in one call, <paramref name="chunk"/> tokens at a time, so that only that
            /// many rows of logits ever exist. Nothing is recorded.
            /// </summary>
            /// <param name="hidden">[tokens, width].</param>
            /// <param name="weight">[vocabulary, width].</param>
            /// <param name="targets">[tokens], int64; a negative one is padding.</param>
            /// <param name="losses">[tokens], float32; receives nats.</param>
            /// <param name="grad_scale">Weight of every token in the loss that is differentiated.</param>
            /// <param name="grad_hidden">[tokens, width]; overwritten with the gradient. Null to evaluate only.</param>
            /// <param name="grad_weight">[vocabulary, width]; the gradient is added to it. Null to leave it out.</param>
            /// <param name="chunk">Tokens at a time.</param>
            public static void linear_cross_entropy(Tensor hidden, Tensor weight, Tensor targets, Tensor losses, double grad_scale,
                Tensor? grad_hidden, Tensor? grad_weight, long chunk = 256)
            {
                using var gradients = new HeldHandles(new[] { grad_hidden, grad_weight }.OfType<Tensor>().ToArray());
                var handles = gradients.Values.AsSpan();
                var first = grad_hidden is null ? 0 : handles[0];
                var second = grad_weight is null ? 0 : handles[^1];
                Native.Check(Native.LinearCrossEntropy(hidden, weight, targets, losses, grad_scale, chunk, first, second));
            }

            /// <summary>Megatron's f: identity forward, sum over the group backward. In front of a column-parallel layer.</summary>
            public static Tensor parallel_copy(Tensor input, distributed.ProcessGroup group)
            {
                Native.Check(Native.ParallelCopy(group.Handle, input, out var result));
                return new Tensor(result);
            }

            /// <summary>Megatron's g: sum over the group forward, identity backward. Behind a row-parallel layer.</summary>
            public static Tensor parallel_reduce(Tensor input, distributed.ProcessGroup group)
            {
                Native.Check(Native.ParallelReduce(group.Handle, input, out var result));
                return new Tensor(result);
            }
        }
    }
}
