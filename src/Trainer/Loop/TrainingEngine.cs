using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Data;
using Opt.Trainer.Model;
using Opt.Trainer.Optimization;
using Opt.Trainer.Parallel;
using Opt.Trainer.Tracing;
using static Opt.Torch.torch;

namespace Opt.Trainer.Loop;

/// <summary>Sums of one rank over one attempt.</summary>
/// <param name="Loss">Nats over the targets that count.</param>
/// <param name="ActivationNorm">Per-token norms of the last block's output.</param>
internal readonly record struct RankSums(double Loss, double ActivationNorm);

/// <summary>One rank's model, shards and schedule: runs batches and applies updates. Knows no attempts, steps or control.</summary>
internal sealed class TrainingEngine : IDisposable
{
    private readonly TrainingConfig _config;
    private readonly World _world;
    private readonly Device _device;
    private readonly TimeProvider _time;
    private readonly ParameterGather _parameters;
    private readonly GradientReduction _gradients;

    /// <param name="computeType">In what to compute; null for what suits the device: 16-bit arithmetic is slow or absent on CPUs, where 16 bit is for storage and wire.</param>
    public TrainingEngine(TrainingConfig config, World world, Device device, TimeProvider time, ScalarType? computeType = null)
    {
        (_config, _world, _device, _time) = (config, world, device, time);
        var recompute = config.ActivationCheckpointing == ActivationCheckpointing.Full;
        Storage = new(OptParameters.Units(config.Model), world.Mesh, config.Precision, moments: true, device, config.MasterWeights);
        var compute = computeType ?? (device.type == DeviceType.CPU ? float32 : Storage.WireType);
        // A kept graph refers to the gathered parameters.
        _parameters = new(Storage, world.Shard, world.Collectives, compute, resident: !recompute || !config.ReshardAfterForward, device);
        _gradients = new(Storage, world, device);
        Schedule = new(config.Model, Storage, new(world.Tensor), _parameters, _gradients, recompute, config.Seed, time, world.Trace, world.Flight);
    }

    public ShardStorage Storage { get; }

    public FsdpSchedule Schedule { get; }

    /// <summary>Time spent reading samples so far.</summary>
    public TimeSpan ReadingTime { get; private set; }

    /// <summary>Forward and backward of this rank's share of a batch; the reduced gradient is in the shards afterwards.</summary>
    /// <param name="lossSeed">Factor of the summed loss.</param>
    public RankSums Run(Dataset data, Batch batch, double lossSeed)
    {
        var mesh = _world.Mesh;
        var (from, count) = BatchPartition.Of(batch.Samples.Length, mesh.DataParallel, mesh.DataRank);
        var rounds = BatchPartition.MicroBatches(batch.Samples.Length, mesh.DataParallel, _config.MicroBatchSequences);
        var sums = default(RankSums);
        _gradients.Begin();
        for (var round = 0; round < rounds; round++)
        {
            var (start, sequences) = BatchPartition.MicroBatch(count, _config.MicroBatchSequences, round);
            using var micro = Read(data, batch.Samples.AsSpan(from + start, sequences));
            var pass = Schedule.Train(micro, lossSeed, new(First: round == 0, Last: round == rounds - 1));
            sums = new(sums.Loss + pass.Loss, sums.ActivationNorm + pass.ActivationNorm);
        }

        _gradients.Finish();
        return sums;
    }

    /// <summary>Logits of a batch, [tokens, vocabulary]; one tensor-parallel rank only.</summary>
    public Tensor Logits(TokenBatch batch) => Schedule.Logits(batch);

    /// <summary>Applies the gradient in the shards.</summary>
    /// <param name="momentsFrom">Step at which the moments last began from zero.</param>
    public void Update(HyperParameters values, long step, long momentsFrom, double gradientScale)
    {
        _world.Flight?.Enter("optimizer");
        using var span = TraceRecorder.Span(_world.Trace, "compute", "optimizer");
        ShardedOptimizer.Update(Storage, values, step, momentsFrom, gradientScale);
        _parameters.Invalidate();
    }

    /// <summary>The shards were written from outside (initial weights, a restore).</summary>
    public void ParametersChanged()
    {
        Storage.RefreshWire();
        _parameters.Invalidate();
    }

    public void Dispose()
    {
        _parameters.Dispose();
        _gradients.Dispose();
        Storage.Dispose();
    }

    // A rank that has run out of sequences runs padding of weight 0, so that all ranks issue the same collectives.
    private TokenBatch Read(Dataset data, ReadOnlySpan<long> samples)
    {
        var start = _time.GetTimestamp();
        var length = data.SequenceLength;
        long[] indices = samples.IsEmpty ? [0] : samples.ToArray();
        var tokens = new ushort[indices.Length * (length + 1)];
        for (var i = 0; i < indices.Length; i++) data.Read(indices[i], tokens.AsSpan(i * (length + 1), length + 1));
        var counted = new int[indices.Length];
        if (!samples.IsEmpty) Array.Fill(counted, length);
        var batch = TokenBatch.From(tokens, length, indices, counted, _device);
        ReadingTime += _time.GetElapsedTime(start);
        return batch;
    }
}
