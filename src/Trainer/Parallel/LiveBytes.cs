using Opt.Api;
using Opt.Trainer.Model;

namespace Opt.Trainer.Parallel;

/// <summary>
/// What the tensors of one rank take at most, by formula: state, gathered parameters and gradient buffers all the time, and the largest of three
/// moments: the head, the backward pass of the last block, and the reduction of the root. On the CPU computation is fp32 and attention keeps no
/// weights: there it is compared with what the allocator counts. Elsewhere computation is in the wire type, and attention by operators keeps them.
/// </summary>
public sealed class LiveBytes(FootprintInput input, UnitLayout root, UnitLayout block)
{
    private const int Float = 4;

    private readonly ModelDimensions _model = input.Model;
    private readonly long _tokens = (long)input.MicroBatch * input.SequenceLength;
    private readonly int _wire = input.WireBytes;
    private readonly int _compute = input.OnCpu ? Float : input.WireBytes;
    private readonly bool _single = root.DataParallel == 1;

    // One rank in fp32 computes with its master weights and adds to its gradient in place.
    private bool InPlace => _single && _wire == Float;

    private bool Resident => !input.Recompute || !input.Reshard;

    /// <summary>Gradient and two moments in fp32; weights in fp32, with a rounded copy where the wire type is narrower, or that alone.</summary>
    public long State => (root.ShardElements + _model.Layers * block.ShardElements) * StateMemory.BytesPerParameter(_wire < Float, input.MasterWeights);

    /// <summary>The root and two blocks, or all; in the wire type beside the compute type where they differ.</summary>
    public long Gathered => InPlace ? 0 : (root.GatheredElements + (Resident ? _model.Layers : Math.Min(2, _model.Layers)) * block.GatheredElements) * (_compute + (_single || _compute == _wire ? 0 : _wire));

    /// <summary>The root's gradient, and two blocks' on the wire with this rank's shard of their sums.</summary>
    public long Gradients => InPlace ? 0 : root.GatheredElements * (Float + (_wire < Float ? _wire : 0)) + (_single ? 1 : 2) * (block.GatheredElements * _wire + block.ShardElements * Float);

    /// <summary>Inputs of all blocks, the last output, and what the graphs keep.</summary>
    public long Activations => _compute * _tokens * _model.HiddenSize * (_model.Layers + 1) + (input.Recompute ? 0 : _model.Layers * Inside);

    /// <summary>The last block's output normalised, two gradients of that size, and a chunk of logits.</summary>
    public long Head => _compute * 3 * _tokens * _model.HiddenSize + LogitBytes * Math.Min(_tokens * (_model.VocabSize / input.TensorParallel), HeadLoss.ChunkElements);

    /// <summary>What a block adds in backward: its graph where it was recomputed, two gradients of its widest activation, its parameters' gradients, and what a reduce-scatter receives.</summary>
    public long BlockBackward => (input.Recompute ? Inside : 0) + _compute * (2 * _tokens * _model.FfnSize / input.TensorParallel + block.Elements) + Received(block);

    /// <summary>The largest of the three moments, with the activations that are there.</summary>
    public long Work => Math.Max(Activations + Math.Max(Head, BlockBackward), Received(root));

    public long Peak => State + Gathered + Gradients + Work;

    // Gloo receives every rank's part of a reduction before it sums them; NCCL sums on the way.
    private long Received(UnitLayout unit) => _single ? 0 : (input.OnCpu ? unit.GatheredElements : unit.ShardElements) * _wire;

    // In 16 bit: rounded logits (and gradient, where the vocabulary is split) beside those in fp32; operators on whole rows make three of these.
    private int LogitBytes => _compute == Float ? Float : input.TensorParallel > 1 ? Float + 2 * _compute : 3 * Float + _compute;

    // Kept for backward: two normalised inputs, the sum between; of this rank's heads and width: key, value and query, what attention gave, the
    // feed-forward layer; and by token two pairs of LayerNorm statistics. The CPU's attention keeps one sum for each head; operators keep the
    // scaled query and the weights before and after dropout.
    private long Inside
    {
        get
        {
            var (tensor, hidden, heads) = (input.TensorParallel, (long)_model.HiddenSize, _model.Heads / input.TensorParallel);
            var split = (4 * hidden + _model.FfnSize) / tensor + (input.OnCpu ? heads : hidden / tensor + 2L * heads * input.SequenceLength);
            return _tokens * (_compute * (3 * hidden + split) + 4 * Float);
        }
    }
}
