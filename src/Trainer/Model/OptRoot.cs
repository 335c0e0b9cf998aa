using Opt.Api;
using Opt.Trainer.Parallel;
using static Opt.Torch.torch;
using static Opt.Torch.torch.nn.functional;

namespace Opt.Trainer.Model;

/// <summary>What one pass through the head gave.</summary>
/// <param name="Loss">Nats, summed over the targets that count.</param>
/// <param name="ActivationNorm">L2 norm of the last block's output, summed over all tokens of the micro-batch.</param>
/// <param name="Gradient">With respect to the last block's output; null when only the loss was wanted.</param>
internal readonly record struct HeadResult(double Loss, double ActivationNorm, Tensor? Gradient);

/// <summary>
/// The root unit: token and position embeddings in front, final LayerNorm and tied head behind. Its gradients are written out here rather
/// than by autograd: they go straight into the flat gradient, where both uses of the embedding add up.
/// </summary>
internal sealed class OptRoot
{
    private readonly ModelDimensions _model;
    private readonly TensorParallel _tensor;
    private readonly HeadLoss _head;
    private readonly Leaf _tokens, _positions;
    private readonly Leaf? _normWeight, _normBias, _projectIn, _projectOut;

    public OptRoot(ModelDimensions model, UnitLayout layout, TensorParallel tensor)
    {
        _model = model;
        _tensor = tensor;
        _head = new(tensor, model.VocabSize);
        _tokens = Leaf.Of(layout, layout.IndexOf(OptParameters.EmbedTokens));
        _positions = Leaf.Of(layout, layout.IndexOf(OptParameters.EmbedPositions));
        if (model.PreNorm) (_normWeight, _normBias) = (Find(OptParameters.FinalNormWeight), Find(OptParameters.FinalNormBias));
        if (model.EmbeddingSize != model.HiddenSize) (_projectIn, _projectOut) = (Find(OptParameters.ProjectIn), Find(OptParameters.ProjectOut));

        Leaf Find(string name) => Leaf.Of(layout, layout.IndexOf(name));
    }

    /// <summary>Hidden states before the first block, [sequences, length, hidden]. No scaling, no dropout, no LayerNorm.</summary>
    public Tensor Embed(Tensor flat, TokenBatch batch)
    {
        using var scope = NewDisposeScope();
        long sequences = batch.Ids.size(0), length = batch.Ids.size(1);
        var tokens = Lookup(_tokens.View(flat), batch.Ids.view(-1));
        if (_projectIn is not null) tokens = tokens.mm(_projectIn.View(flat).t());
        var h = tokens.view(sequences, length, _model.HiddenSize);
        return h.add_(Positions(flat, length)).MoveToOuterDisposeScope();
    }

    /// <summary>Adds the gradients of the embeddings; <paramref name="dh"/> is the gradient of what <see cref="Embed"/> returned.</summary>
    public void EmbedBackward(Tensor flat, Tensor flatGradient, TokenBatch batch, Tensor dh)
    {
        using var scope = NewDisposeScope();
        Positions(flatGradient, batch.Ids.size(1)).add_(dh.sum([0L], type: float32));
        var ids = batch.Ids.view(-1);
        var dtokens = dh.reshape(-1, _model.HiddenSize);
        if (_projectIn is not null)
        {
            _projectIn.View(flatGradient).AddProduct(dtokens.t(), Lookup(_tokens.View(flat), ids));
            dtokens = dtokens.mm(_projectIn.View(flat));
        }

        if (batch.HasPadding) dtokens = dtokens.masked_fill(ids.eq(OptParameters.PaddingId).unsqueeze(1), 0);
        var (local, elsewhere) = Local(ids);
        if (elsewhere is not null) dtokens = dtokens.masked_fill(elsewhere.unsqueeze(1), 0);
        _tokens.View(flatGradient).index_add_(0, local, dtokens.to(float32), 1);
    }

    /// <summary>Final LayerNorm, head and loss of <paramref name="h"/>, [sequences, length, hidden], and their backward when a gradient is given.</summary>
    public HeadResult Head(Tensor flat, Tensor? flatGradient, TokenBatch batch, Tensor h, double seed)
    {
        using var scope = NewDisposeScope();
        var norm = h.vector_norm(2, [-1L], type: float32).sum(float64).item<double>();
        if (flatGradient is null)
        {
            using var off = no_grad();
            return new(_head.Run(Flatten(Tail(h, OpenTail(flat))), _tokens.View(flat), batch, seed, null, null), norm, null);
        }

        var leaf = h.detach().requires_grad_();
        var parameters = OpenTail(flat);
        Tensor y;
        using (enable_grad()) y = Tail(leaf, parameters);
        var dy = empty_like(y);
        var loss = _head.Run(Flatten(y.detach()), _tokens.View(flat), batch, seed, _tokens.View(flatGradient), Flatten(dy));
        return new(loss, norm, TailBackward(y, leaf, parameters, dy, flatGradient).MoveToOuterDisposeScope());
    }

    /// <summary>Logits of every position, [tokens, vocabulary]: for inspection, all of them at once. Not split over ranks.</summary>
    public Tensor Logits(Tensor flat, Tensor h)
    {
        using var scope = NewDisposeScope();
        using var off = no_grad();
        return Flatten(Tail(h, OpenTail(flat))).mm(_tokens.View(flat).t()).MoveToOuterDisposeScope();
    }

    private Tensor TailBackward(Tensor y, Tensor h, Tensor[] parameters, Tensor dy, Tensor flatGradient)
    {
        if (parameters.Length == 0) return dy;
        var gradients = autograd.grad([y], [h, .. parameters], [dy]);
        foreach (var (leaf, gradient) in TailLeaves().Zip(gradients.Skip(1))) leaf.View(flatGradient).add_(gradient!);
        return gradients[0]!;
    }

    private Tensor Tail(Tensor h, Tensor[] parameters)
    {
        if (_normWeight is not null) h = layer_norm(h, [_model.HiddenSize], parameters[0], parameters[1]);
        return _projectOut is null ? h : linear(h, parameters[^1]);
    }

    private Tensor[] OpenTail(Tensor flat) => [.. TailLeaves().Select(l => l.View(flat).detach().requires_grad_())];

    private IEnumerable<Leaf> TailLeaves() => new[] { _normWeight, _normBias, _projectOut }.OfType<Leaf>();

    private static Tensor Flatten(Tensor y) => y.view(-1, y.size(-1));

    private Tensor Positions(Tensor flat, long length) => _positions.View(flat).narrow(0, OptParameters.PositionOffset, length);

    private Tensor Lookup(Tensor table, Tensor ids)
    {
        var (local, elsewhere) = Local(ids);
        var rows = table.index_select(0, local);
        return elsewhere is null ? rows : _tensor.AllReduce(rows.masked_fill_(elsewhere.unsqueeze(1), 0));
    }

    // Ids within this rank's rows of the vocabulary; those of other ranks point at row 0 and are masked.
    private (Tensor Ids, Tensor? Elsewhere) Local(Tensor ids)
    {
        if (_tensor.Size == 1) return (ids, null);
        long rows = _model.VocabSize / _tensor.Size;
        var shifted = ids.sub(_tensor.Rank * rows);
        var elsewhere = shifted.lt(0).logical_or(shifted.ge(rows));
        return (shifted.masked_fill_(elsewhere, 0), elsewhere);
    }
}
