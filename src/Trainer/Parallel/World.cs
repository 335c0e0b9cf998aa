using System.Globalization;
using Opt.Torch;
using Opt.Trainer.Tracing;
using static Opt.Torch.torch;

namespace Opt.Trainer.Parallel;

/// <summary>The process groups of one rank: all ranks (control, agreement, validation), its data-parallel group and its tensor-parallel group. Groups of one are null.</summary>
internal sealed class World : IDisposable
{
    private World(Mesh mesh, TimeProvider time)
    {
        Mesh = mesh;
        Collectives = new(time);
    }

    public Mesh Mesh { get; }
    public CollectiveThread Collectives { get; }
    public distributed.ProcessGroup? All { get; private init; }
    public distributed.ProcessGroup? Data { get; private init; }
    public distributed.ProcessGroup? Tensor { get; private init; }

    /// <summary>Where the parts of each attempt are recorded; null: nowhere. Set before the engine is made.</summary>
    public TraceRecorder? Trace
    {
        get => Collectives.Trace;
        set => Collectives.Trace = value;
    }

    /// <summary>NCCL sums 16-bit gradients in 16 bit; the Gloo path sums in fp32.</summary>
    public bool WireSumsIn16Bit { get; private init; }

    /// <summary>A world of one process.</summary>
    public static World Single(TimeProvider time) => new(new(0, 1, 1), time);

    /// <summary>One rank beside others that a test plays: <paramref name="data"/> stands for its data-parallel group.</summary>
    public static World Of(Mesh mesh, distributed.ProcessGroup data, TimeProvider time) => new(mesh, time) { Data = data };

    /// <summary>Meets the other ranks through <paramref name="store"/>.</summary>
    /// <param name="address">Where peers reach this process.</param>
    /// <param name="timeout">Deadline of the meeting and of every collective.</param>
    public static World Join(distributed.Store store, Mesh mesh, string address, TimeSpan timeout, Device device, TimeProvider time)
    {
        if (mesh.WorldSize == 1) return Single(time);
        var gloo = new GlooOptions { Address = address };
        var nccl = device.type == DeviceType.CUDA && has_feature("nccl");
        return new(mesh, time)
        {
            All = distributed.ProcessGroupGloo(Prefix("world"), mesh.Rank, mesh.WorldSize, timeout, gloo),
            Data = mesh.DataParallel == 1 ? null : Group($"data-{Text(mesh.TensorRank)}", mesh.DataRank, mesh.DataParallel),
            Tensor = mesh.TensorParallel == 1 ? null : Group($"tensor-{Text(mesh.DataRank)}", mesh.TensorRank, mesh.TensorParallel),
            WireSumsIn16Bit = nccl,
        };

        distributed.ProcessGroup Group(string name, int rank, int size) => nccl
            ? distributed.ProcessGroupNCCL(Prefix(name), rank, size, timeout)
            : distributed.ProcessGroupGloo(Prefix(name), rank, size, timeout, gloo);

        distributed.PrefixStore Prefix(string name) => new($"group/{name}", store);
        static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Sums over all ranks, in place.</summary>
    public void SumOverAll(double[] values) => Reduce("sum", values, distributed.ReduceOp.SUM);

    /// <summary>Largest over all ranks, in place.</summary>
    public void MaxOverAll(long[] values) => Reduce("max", values, distributed.ReduceOp.MAX);

    /// <summary>Rank 0's values to all, in place.</summary>
    public void BroadcastFromFirst<T>(T[] values)
        where T : unmanaged
    {
        if (All is null) return;
        using var wire = tensor(values);
        Collectives.Run("broadcast", values.Length, () => All.broadcast(wire, 0));
        wire.AsSpan<T>().CopyTo(values);
    }

    public void Dispose()
    {
        Collectives.Dispose();
        Tensor?.Dispose();
        Data?.Dispose();
        All?.Dispose();
    }

    private void Reduce<T>(string kind, T[] values, distributed.ReduceOp op)
        where T : unmanaged
    {
        if (All is null) return;
        using var wire = tensor(values);
        Collectives.Run(kind, values.Length, () => All.all_reduce(wire, op));
        wire.AsSpan<T>().CopyTo(values);
    }
}
