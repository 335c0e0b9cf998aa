using Opt.Api;
using Opt.Trainer.Model;

namespace Opt.Trainer.Parallel;

/// <summary>What a run is planned for.</summary>
/// <param name="WireBytes">Bytes of a parameter in storage and on the wire: 4 for fp32, 2 for 16 bit.</param>
/// <param name="MicroBatch">Sequences per forward pass of one data-parallel rank.</param>
/// <param name="Recompute">Blocks are recomputed in backward.</param>
/// <param name="Reshard">Gathered parameters are let go after forward.</param>
public sealed record FootprintInput(ModelDimensions Model, int WorldSize, int TensorParallel, int SequenceLength, long BatchTokens, int WireBytes, int MicroBatch, bool Recompute, bool Reshard)
{
    /// <summary>Data-parallel ranks that share one copy of the state; null for all.</summary>
    public int? ShardParallel { get; init; }

    /// <summary>Weights are kept in fp32 beside a 16-bit copy.</summary>
    public bool MasterWeights { get; init; } = true;
}

/// <summary>Sizes, memory, traffic and work of a layout, by formula; `opt-trainer plan` prints them.</summary>
public sealed class Footprint
{
    /// <summary>Bytes of a parameter in a checkpoint: weight and the two moments of Adam, all fp32.</summary>
    private const int StateBytes = 12;

    private const int MomentBytes = 8;

    private const int GradientBytes = 4;
    private readonly FootprintInput _input;

    public Footprint(FootprintInput input)
    {
        _input = input;
        var units = OptParameters.Units(input.Model);
        DataParallel = input.WorldSize / input.TensorParallel;
        ShardParallel = input.ShardParallel ?? DataParallel;
        Root = new(units[0], input.TensorParallel, ShardParallel);
        Block = new(units[1], input.TensorParallel, ShardParallel);
    }

    public int DataParallel { get; }

    /// <summary>Data-parallel ranks that share one copy of the state.</summary>
    public int ShardParallel { get; }

    public UnitLayout Root { get; }
    public UnitLayout Block { get; }

    /// <summary>Parameters one rank holds, padding included.</summary>
    public long ShardParameters => Root.ShardElements + _input.Model.Layers * Block.ShardElements;

    /// <summary>Parameters of one tensor-parallel rank: what a data-parallel group gathers.</summary>
    public long GatheredParameters => Root.GatheredElements + _input.Model.Layers * Block.GatheredElements;

    /// <summary>Bytes of a checkpoint as this trainer writes it: fp32 master and moments.</summary>
    public long CheckpointBytes => StateBytes * ShardParameters * ShardParallel * _input.TensorParallel;

    /// <summary>Bytes of a checkpoint as OPT-175B's run wrote it: fp16 weights without a master, fp32 moments.</summary>
    public long OptCheckpointBytes => 10 * ShardParameters * ShardParallel * _input.TensorParallel;

    /// <summary>Fp32 moments and gradient; weights in fp32, with a rounded copy where the wire type is narrower, or that alone.</summary>
    public long ShardBytes => ShardParameters * (MomentBytes + GradientBytes + (_input.WireBytes == 4 ? 4 : _input.WireBytes + (_input.MasterWeights ? 4 : 0)));

    /// <summary>Gathered parameters that exist at a time: the root, and two blocks, or all that stay resident.</summary>
    public long GatheredBytes => _input.WireBytes * (Root.GatheredElements + Block.GatheredElements * (_input.Reshard && _input.Recompute ? Math.Min(2, _input.Model.Layers) : _input.Model.Layers));

    /// <summary>The root's gradient in fp32, two block gradients on the wire and what one reduce-scatter receives.</summary>
    public long GradientBufferBytes => 4 * Root.GatheredElements + 3L * _input.WireBytes * Block.GatheredElements;

    /// <summary>Block inputs of one micro-batch, and the inside of one block (or of all, without recomputation).</summary>
    public long ActivationBytes
    {
        get
        {
            var model = _input.Model;
            var tokens = (long)_input.MicroBatch * _input.SequenceLength;
            var inputs = (model.Layers + 1) * tokens * model.HiddenSize * _input.WireBytes;
            // Korthikanti et al., arXiv 2205.05198, equation 2: s b h (10 + 24/t + 5 a s / (h t)) for 2-byte activations.
            var inside = tokens * (model.HiddenSize * (10 + 24.0 / _input.TensorParallel) + 5.0 * model.Heads * _input.SequenceLength / _input.TensorParallel) * _input.WireBytes / 2;
            return inputs + (long)(inside * (_input.Recompute ? 1 : model.Layers));
        }
    }

    /// <summary>One chunk of logits in fp32; never those of a whole micro-batch.</summary>
    public long LogitsBytes => 4 * Math.Min(HeadLoss.ChunkElements, (long)_input.MicroBatch * _input.SequenceLength * (_input.Model.VocabSize / _input.TensorParallel));

    public long TotalBytes => ShardBytes + GatheredBytes + GradientBufferBytes + ActivationBytes + LogitsBytes;

    /// <summary>Bytes one rank sends per optimizer step for parameters and gradients: two gathers (one, when they stay resident), one reduce-scatter, and with several copies of the state their sum.</summary>
    public long WireBytesPerStep
    {
        get
        {
            var gathers = _input.Reshard && _input.Recompute ? 2 : 1;
            var within = (double)(ShardParallel - 1) / ShardParallel * GatheredParameters * _input.WireBytes * (gathers + 1);
            var copies = DataParallel / ShardParallel;
            return (long)(within + 2.0 * (copies - 1) / copies * ShardParameters * GradientBytes);   // a ring all-reduce of the fp32 shards
        }
    }

    /// <summary>Bytes of one tensor-parallel all-reduce: the hidden states of a micro-batch. Four a layer and step, and two in a recomputed forward.</summary>
    public long TensorMessageBytes => _input.TensorParallel == 1 ? 0 : (long)_input.MicroBatch * _input.SequenceLength * _input.Model.HiddenSize * _input.WireBytes;

    public double FlopsPerToken => _input.Recompute ? ModelFlops.WithRecomputation(_input.Model, _input.SequenceLength) : ModelFlops.WithoutRecomputation(_input.Model, _input.SequenceLength);

    /// <param name="flops">Floating-point operations each accelerator does per second, recomputation included.</param>
    public double TokensPerSecond(double flops) => flops * _input.WorldSize / FlopsPerToken;

    public double StepSeconds(double flops) => _input.BatchTokens / TokensPerSecond(flops);
}
