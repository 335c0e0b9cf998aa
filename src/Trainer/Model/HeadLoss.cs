using static Opt.Torch.torch;

namespace Opt.Trainer.Model;

/// <summary>
/// Cross-entropy against the tied embedding, forward and backward in one pass over chunks of tokens, so that the logits of a whole batch never
/// exist at once (they dominate memory in small models). With tensor parallelism the vocabulary is split and three values per token are
/// reduced instead of logits being gathered (Megatron-LM, section 3; core/tensor_parallel/cross_entropy.py).
/// </summary>
internal sealed class HeadLoss(TensorParallel parallel, int vocabulary)
{
    /// <summary>Elements of logits that exist at a time: 64 MiB of fp32.</summary>
    public const long ChunkElements = 1 << 24;

    private readonly long _rows = vocabulary / parallel.Size;

    /// <summary>Loss in nats summed over the targets that count.</summary>
    /// <param name="y">Final hidden states, [tokens, embedding].</param>
    /// <param name="embedding">This rank's rows of the embedding, [vocabulary / tensor parallel, embedding].</param>
    /// <param name="seed">Factor of the summed loss; gradients are of the product.</param>
    /// <param name="embeddingGradient">fp32, added to; null when only the loss is wanted.</param>
    /// <param name="yGradient">Same shape as y; written when gradients are wanted.</param>
    public double Run(Tensor y, Tensor embedding, TokenBatch batch, double seed, Tensor? embeddingGradient, Tensor? yGradient)
    {
        var chunk = Math.Max(1, Math.Min(y.size(0), ChunkElements / _rows));
        return parallel.Size == 1 ? Whole(y, embedding, batch, seed, embeddingGradient, yGradient, chunk) : InChunks(y, embedding, batch, seed, embeddingGradient, yGradient, chunk);
    }

    private static double Whole(Tensor y, Tensor embedding, TokenBatch batch, double seed, Tensor? embeddingGradient, Tensor? yGradient, long chunk)
    {
        using var losses = empty([y.size(0)], float32, y.device);
        ops.opt.linear_cross_entropy(y, embedding, batch.Targets, losses, seed, yGradient, embeddingGradient, chunk);
        using var sum = losses.sum(float64);
        return sum.item<double>();
    }

    private double InChunks(Tensor y, Tensor embedding, TokenBatch batch, double seed, Tensor? embeddingGradient, Tensor? yGradient, long chunk)
    {
        var loss = 0.0;
        using var transposed = embedding.t();
        for (var from = 0L; from < y.size(0); from += chunk)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(chunk, y.size(0) - from);
            var part = y.narrow(0, from, count);
            var targets = batch.Targets.narrow(0, from, count);
            var counts = batch.HasIgnored ? targets.ge(0).to(float32) : null;
            var known = batch.HasIgnored ? targets.masked_fill(targets.lt(0), 0) : targets;
            var (sum, gradient) = Split(part.mm(transposed).to(float32), known, counts, embeddingGradient is not null);
            loss += sum;
            if (gradient is null) continue;
            if (seed != 1) gradient.mul_(seed);   // before it is rounded: that is what the scale is for
            var rounded = gradient.to(part.dtype);
            yGradient!.narrow(0, from, count).copy_(parallel.AllReduce(rounded.mm(embedding)));
            embeddingGradient!.AddProduct(rounded.t(), part);
        }

        return loss;
    }

    private (double, Tensor?) Split(Tensor logits, Tensor targets, Tensor? counts, bool wantGradient)
    {
        var first = parallel.Rank * _rows;
        var largest = parallel.AllReduce(logits.amax([1L], keepdim: true), distributed.ReduceOp.MAX);
        var shifted = logits.sub_(largest);
        var local = targets.sub(first).unsqueeze(1);
        var elsewhere = local.lt(0).logical_or(local.ge(_rows));
        var index = local.clamp(0, _rows - 1);
        var picked = parallel.AllReduce(shifted.gather(1, index).masked_fill_(elsewhere, 0));
        var exponents = shifted.exp_();
        var total = parallel.AllReduce(exponents.sum([1L], keepdim: true));
        var loss = Sum(picked - total.log(), counts);
        if (!wantGradient) return (-loss, null);
        var gradient = exponents.div_(total);
        gradient.scatter_add_(1, index, elsewhere.to(float32).sub_(ones_like(picked)));   // -1 at the target where this rank holds it
        return (-loss, counts is null ? gradient : gradient.mul_(counts.unsqueeze(1)));
    }

    private static double Sum(Tensor logs, Tensor? counts) =>
        (counts is null ? logs : logs.mul(counts.unsqueeze(1))).sum(float64).item<double>();
}
