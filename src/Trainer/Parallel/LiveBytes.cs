using Opt.Api;

namespace Opt.Trainer.Parallel;

/// <summary>
/// What the tensors of one rank take at most, by formula, where computation is fp32 and attention keeps no weights (the CPU): state, gathered
/// parameters and gradient buffers all the time, and the largest of three moments: the head, the backward pass of the last block, and the
/// reduction of the root.
/// </summary>
/// <param name="layouts">The root, then the blocks.</param>
/// <param name="tokens">Tokens of a micro-batch.</param>
/// <param name="wireBytes">Bytes of an element in storage beside the master weights and on the wire.</param>
/// <param name="recompute">Blocks are recomputed in backward.</param>
/// <param name="resident">Gathered blocks stay until the next update.</param>
internal sealed class LiveBytes(ModelDimensions model, IReadOnlyList<UnitLayout> layouts, long tokens, int wireBytes, bool recompute, bool resident)
{
    private const int Float = 4;

    private readonly UnitLayout _root = layouts[0], _block = layouts[1];
    private readonly bool _single = layouts[0].DataParallel == 1;
    private readonly int _rounded = wireBytes < Float ? wireBytes : 0;

    // One rank in fp32 computes with its master weights and adds to its gradient in place.
    private bool InPlace => _single && _rounded == 0;

    /// <summary>Master weights, gradient and two moments in fp32, and the weights rounded to 16 bit.</summary>
    public long State => layouts.Sum(l => l.ShardElements) * (4 * Float + _rounded);

    /// <summary>The root and two blocks, or all.</summary>
    public long Gathered => InPlace ? 0 : (_root.GatheredElements + (resident ? model.Layers : Math.Min(2, model.Layers)) * _block.GatheredElements) * (Float + (_single ? 0 : _rounded));

    /// <summary>The root's gradient, and two blocks' on the wire with this rank's shard of their sums.</summary>
    public long Gradients => InPlace ? 0 : _root.GatheredElements * (Float + _rounded) + (_single ? 1 : 2) * (_block.GatheredElements * wireBytes + _block.ShardElements * Float);

    /// <summary>Inputs of all blocks, the last output, and what the graphs keep.</summary>
    public long Activations => Float * tokens * model.HiddenSize * (model.Layers + 1) + (recompute ? 0 : model.Layers * Inside);

    /// <summary>The last block's output normalised, two gradients of that size, and a chunk of logits.</summary>
    public long Head => Float * (3 * tokens * model.HiddenSize + Math.Min(tokens * model.VocabSize, 1 << 24));

    /// <summary>What a block adds in backward: its graph where it was recomputed, two gradients of its widest activation, its parameters' gradients, and what a reduce-scatter receives.</summary>
    public long BlockBackward => (recompute ? Inside : 0) + Float * (2 * tokens * model.FfnSize + _block.Elements) + (_single ? 0 : _block.GatheredElements * wireBytes);

    /// <summary>What the last reduce-scatter receives, when no activations are left.</summary>
    public long RootReduction => _single ? 0 : _root.GatheredElements * wireBytes;

    public long Peak => State + Gathered + Gradients + Math.Max(Activations + Math.Max(Head, BlockBackward), RootReduction);

    // Kept for backward: two normalised inputs, key, value and query, what attention gave, the sum between, the feed-forward layer; and by
    // token two pairs of LayerNorm statistics and one sum for each head.
    private long Inside => Float * tokens * (7 * model.HiddenSize + model.FfnSize + 4 + model.Heads);
}
