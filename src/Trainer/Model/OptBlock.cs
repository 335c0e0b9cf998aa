using Opt.Api;
using Opt.Torch;
using static Opt.Torch.torch;
using static Opt.Torch.torch.nn.functional;

namespace Opt.Trainer.Model;

/// <summary>What a forward pass depends on besides parameters and input.</summary>
/// <param name="Seed">The job's seed, for dropout.</param>
/// <param name="Samples">Global index of each sequence.</param>
/// <param name="Training">False turns dropout off.</param>
internal readonly record struct ForwardContext(ulong Seed, long[] Samples, bool Training);

/// <summary>
/// One OPT decoder block as a function of its input and its parameters (metaseq transformer_layer.py and multihead_attention.py): pre-norm, or
/// post-norm for the released 350M; ReLU; dropout on attention weights and on both sub-layer outputs, not on activations. Under tensor
/// parallelism the heads and the feed-forward width are split (Shoeybi et al., Megatron-LM, section 3).
/// </summary>
internal sealed class OptBlock(ModelDimensions model, int layer, TensorParallel tensor)
{
    private const int AttentionWeights = 0, AttentionOutput = 1, FeedForwardOutput = 2;
    private readonly long[] _norm = [model.HiddenSize];
    private readonly int _heads = model.Heads / tensor.Size;
    private readonly double _scale = 1 / Math.Sqrt(model.HeadSize);

    /// <summary>Hidden states in and out are [sequences, length, hidden]. The caller owns the result.</summary>
    public Tensor Forward(Tensor x, Tensor[] p, in ForwardContext context)
    {
        using var scope = NewDisposeScope();
        var h = model.PreNorm ? PreNorm(x, p, context) : PostNorm(x, p, context);
        return h.MoveToOuterDisposeScope();
    }

    private Tensor PreNorm(Tensor x, Tensor[] p, in ForwardContext context)
    {
        var h = x + Attention(layer_norm(x, _norm, p[BlockLeaves.AttentionNorm], p[BlockLeaves.AttentionNormBias]), p, context);
        return h + FeedForward(layer_norm(h, _norm, p[BlockLeaves.FinalNorm], p[BlockLeaves.FinalNormBias]), p, context);
    }

    private Tensor PostNorm(Tensor x, Tensor[] p, in ForwardContext context)
    {
        var h = layer_norm(x + Attention(x, p, context), _norm, p[BlockLeaves.AttentionNorm], p[BlockLeaves.AttentionNormBias]);
        return layer_norm(h + FeedForward(h, p, context), _norm, p[BlockLeaves.FinalNorm], p[BlockLeaves.FinalNormBias]);
    }

    private Tensor Attention(Tensor x, Tensor[] p, in ForwardContext context)
    {
        long sequences = x.size(0), length = x.size(1);
        var kvq = linear(tensor.Copy(x), p[BlockLeaves.Kvq], p[BlockLeaves.KvqBias]).chunk(3, -1);
        var (key, value, query) = (Heads(kvq[0]), Heads(kvq[1]), Heads(kvq[2]));
        var dropped = context.Training ? model.AttentionDropout : 0;
        DropoutKey? mask = dropped > 0 ? new(context.Seed, context.Samples, layer, AttentionWeights, tensor.Rank * _heads, _heads) : null;
        var mixed = ops.opt.causal_attention(query, key, value, _scale, dropped, mask);
        var merged = mixed.transpose(1, 2).reshape(sequences, length, _heads * model.HeadSize);
        return Dropout(RowParallel(merged, p[BlockLeaves.Out], p[BlockLeaves.OutBias]), AttentionOutput, context);
    }

    private Tensor FeedForward(Tensor x, Tensor[] p, in ForwardContext context)
    {
        var inner = relu(linear(tensor.Copy(x), p[BlockLeaves.Fc1], p[BlockLeaves.Fc1Bias]), inplace: true);
        return Dropout(RowParallel(inner, p[BlockLeaves.Fc2], p[BlockLeaves.Fc2Bias]), FeedForwardOutput, context);
    }

    // The bias is replicated and added once, after the sum over ranks.
    private Tensor RowParallel(Tensor x, Tensor weight, Tensor bias) =>
        tensor.Size == 1 ? linear(x, weight, bias) : tensor.Reduce(linear(x, weight)) + bias;

    private Tensor Heads(Tensor x) => x.view(x.size(0), x.size(1), _heads, model.HeadSize).transpose(1, 2);

    private Tensor Dropout(Tensor x, int site, in ForwardContext context) => context.Training && model.Dropout > 0
        ? ops.opt.keyed_dropout(x, model.Dropout, new DropoutKey(context.Seed, context.Samples, layer, site))
        : x;
}
