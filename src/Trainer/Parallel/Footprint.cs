using Opt.Api;
using Opt.Trainer.Data;
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

    /// <summary>Computation is fp32 whatever the wire type, and collectives are Gloo's.</summary>
    public bool OnCpu { get; init; }
}

/// <summary>Sizes, memory, traffic and work of a layout, by formula; `opt-trainer plan` prints them.</summary>
public sealed class Footprint
{
    /// <summary>Bytes of a parameter in a checkpoint: weight and the two moments of Adam, all fp32.</summary>
    private const int StateBytes = 12;

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

    /// <summary>Memory of one rank.</summary>
    public LiveBytes Memory => new(_input, Root, Block);

    /// <summary>Bytes one rank sends per optimizer step for parameters and gradients, as the schedule issues them; with several copies of the state their sum too.</summary>
    public long WireBytesPerStep => Traffic.BytesSent(Root, Block, _input.Model.Layers, _input.WireBytes, MicroBatches, Resident) + CopiesBytes;

    /// <summary>The same by the plain formula of one micro-batch: two gathers of everything (one, when parameters stay resident) and one reduce-scatter.</summary>
    public long PlainWireBytes => (ShardParallel - 1) * ShardParameters * _input.WireBytes * (Resident ? 2 : 3) + CopiesBytes;

    private bool Resident => !_input.Reshard || !_input.Recompute;

    private int MicroBatches => BatchPartition.MicroBatches((int)(_input.BatchTokens / _input.SequenceLength), DataParallel, _input.MicroBatch);

    // A ring all-reduce of the fp32 shards.
    private long CopiesBytes => (long)(2.0 * (DataParallel - ShardParallel) / DataParallel * ShardParameters * GradientBytes);

    /// <summary>Bytes of one tensor-parallel all-reduce: the hidden states of a micro-batch. Four a layer and step, and two in a recomputed forward.</summary>
    public long TensorMessageBytes => _input.TensorParallel == 1 ? 0 : (long)_input.MicroBatch * _input.SequenceLength * _input.Model.HiddenSize * _input.WireBytes;

    public double FlopsPerToken => _input.Recompute ? ModelFlops.WithRecomputation(_input.Model, _input.SequenceLength) : ModelFlops.WithoutRecomputation(_input.Model, _input.SequenceLength);

    /// <param name="flops">Floating-point operations each accelerator does per second, recomputation included.</param>
    public double TokensPerSecond(double flops) => flops * _input.WorldSize / FlopsPerToken;

    public double StepSeconds(double flops) => _input.BatchTokens / TokensPerSecond(flops);
}
