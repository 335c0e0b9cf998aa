using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Abstractions;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;

namespace Opt.Bench.Checkpoints;

/// <summary>One rank's state of a given size, without a model around it: 24 units of master weights and two moments.</summary>
internal sealed class Shard
{
    private const string JobUid = "bench";
    private const int Units = 24;
    private static readonly string[] Slots = [StateBuffer.Master, StateBuffer.FirstMoment, StateBuffer.SecondMoment];
    private static readonly ModelDimensions Model = new() { Layers = 1, HiddenSize = 8, Heads = 1, FfnSize = 8, VocabSize = 8, MaxPositions = 8, EmbeddingSize = 8, PreNorm = true, Dropout = 0, AttentionDropout = 0 };

    private static readonly HyperParameters Values = new()
    {
        PeakLearningRate = 1e-3, EndLearningRate = 0, WarmupSteps = 1, DecaySteps = 1, GradientClip = 1, Optimizer = new(), LossScaleWindow = 1, LossScaleFloor = 1, LossScaleWindowRule = LossScaleWindow.Fixed, LossScaleInitial = 1, TotalSteps = 1,
    };

    private readonly float[][] _state;

    public Shard(int mebibytes)
    {
        var length = mebibytes * 1024 / sizeof(float) * 1024 / (Units * Slots.Length);
        _state = [.. Enumerable.Range(0, Units * Slots.Length).Select(_ => new float[length])];
        var random = new Random(1);
        foreach (var values in _state) random.NextBytes(MemoryMarshal.AsBytes(values.AsSpan()));
        Bytes = (long)length * sizeof(float) * _state.Length;
    }

    public long Bytes { get; }

    /// <summary>A plain copy of the same bytes.</summary>
    public void CopyTo(float[][] destination)
    {
        for (var i = 0; i < _state.Length; i++) _state[i].CopyTo(destination[i], 0);
    }

    public float[][] Like() => [.. _state.Select(s => new float[s.Length])];

    public CheckpointSession Open(ICheckpointStore store, long epoch, IReadOnlyList<INearbyCopies>? nearby = null) => new(new()
    {
        Store = store,
        JobUid = JobUid,
        Epoch = epoch,
        Model = Model,
        Spec = new() { Store = new(), Keep = new() { Last = 2, EverySteps = 0 } },
        Layout = new() { Rank = 0, WorldSize = 1, TensorParallelRank = 0, TensorParallelSize = 1, Slices = [.. Enumerable.Range(0, Units).Select(Slice)] },
        Buffers = [.. _state.Select((values, i) => Buffer(values, i))],
        Exchange = InProcessExchange.Create(1)[0],
        Writer = "bench",
        Nearby = nearby ?? [],
    }, TimeProvider.System, NullLogger<CheckpointSession>.Instance);

    public static async Task<LogState> FenceAsync(ICheckpointStore store)
    {
        using var log = new CommitLog(store, JobUid, "bench", TimeProvider.System);
        return await log.FenceNextAsync(adopt: false, default);
    }

    public static TrainingState At(long step) => new() { Attempt = step, Step = step, Samples = step, Tokens = step, Lineage = "1", HyperParameters = Values, DataFingerprint = "", EnvironmentHash = "" };

    private static StateBuffer Buffer(float[] values, int index) => new()
    {
        Unit = $"block.{index / Slots.Length}",
        Slot = Slots[index % Slots.Length],
        Length = values.Length,
        Read = destination => values.CopyTo(destination),
        Write = (offset, source) => source.CopyTo(values.AsSpan((int)offset)),
    };

    private ParameterSlice Slice(int unit) => new() { Parameter = $"w{unit}", Shape = [_state[0].Length], Unit = $"block.{unit}", UnitOffset = 0, ParameterOffset = 0, Length = _state[0].Length };
}
