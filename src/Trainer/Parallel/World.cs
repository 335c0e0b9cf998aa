using System.Globalization;
using Opt.Torch;
using Opt.Trainer.Tracing;
using Opt.Trainer.Workers;
using static Opt.Torch.torch;

namespace Opt.Trainer.Parallel;

/// <summary>How the groups of a world are made.</summary>
/// <param name="Timeout">Deadline of the meeting and of every collective.</param>
internal sealed record WorldOptions(TimeSpan Timeout)
{
    /// <summary>Environment variable: 1 turns <see cref="CheckCollectives"/> on. Every rank must have it.</summary>
    public const string CheckVariable = "OPT_CHECK_COLLECTIVES";

    /// <summary>Debugging: compare every collective with the other members before it is issued. See <see cref="CheckedGroup"/>.</summary>
    public bool CheckCollectives { get; init; }

    /// <summary>For tests: puts something between the trainer and its groups.</summary>
    public Func<distributed.ProcessGroup, distributed.ProcessGroup>? Decorate { get; init; }

    /// <summary>The groups run by themselves once issued, and sum 16-bit gradients in 16 bit. Null: true for NCCL.</summary>
    public bool? LikeNccl { get; init; }
}

/// <summary>
/// The process groups of one rank: all ranks (control, agreement, validation), the ranks it shards a copy of the state with, those that hold
/// the same shard of other copies, and its tensor-parallel group. Groups of one are null.
/// </summary>
internal sealed class World : IDisposable
{
    private World(Mesh mesh, TimeProvider time, bool asynchronous = false)
    {
        Mesh = mesh;
        Collectives = new(time, asynchronous);
    }

    public Mesh Mesh { get; }
    public CollectiveThread Collectives { get; }
    public distributed.ProcessGroup? All { get; private init; }

    /// <summary>Parameters are gathered and gradients scattered here.</summary>
    public distributed.ProcessGroup? Shard { get; private init; }

    /// <summary>With hybrid sharding: gradients are summed over the copies of the state here.</summary>
    public distributed.ProcessGroup? Replicate { get; private init; }

    public distributed.ProcessGroup? Tensor { get; private init; }

    /// <summary>Where the parts of each attempt are recorded; null: nowhere. Set before the engine is made.</summary>
    public TraceRecorder? Trace
    {
        get => Collectives.Trace;
        set => Collectives.Trace = value;
    }

    /// <summary>Where the agent reads what this rank does; null: nowhere. Set before the engine is made.</summary>
    public FlightRecorder? Flight
    {
        get => Collectives.Flight;
        set => Collectives.Flight = value;
    }

    /// <summary>NCCL sums 16-bit gradients in 16 bit; the Gloo path sums in fp32.</summary>
    public bool WireSumsIn16Bit { get; private init; }

    /// <summary>A world of one process.</summary>
    public static World Single(TimeProvider time) => new(new(0, 1, 1), time);

    /// <summary>One rank beside others that a test plays: <paramref name="data"/> stands for its data-parallel group.</summary>
    public static World Of(Mesh mesh, distributed.ProcessGroup data, TimeProvider time) => new(mesh, time) { Shard = data };

    /// <summary>Meets the other ranks through <paramref name="store"/>.</summary>
    /// <param name="address">Where peers reach this process.</param>
    public static World Join(distributed.Store store, Mesh mesh, string address, Device device, WorldOptions options, TimeProvider time)
    {
        if (mesh.WorldSize == 1) return Single(time);
        var nccl = device.type == DeviceType.CUDA && has_feature("nccl");
        var groups = new Groups(store, address, nccl, options);
        return new(mesh, time, options.LikeNccl ?? nccl)
        {
            All = groups.Gloo("world", mesh.Rank, mesh.WorldSize),
            Shard = groups.Make($"shard-{Text(mesh.TensorRank)}-{Text(mesh.Replica)}", mesh.ShardRank, mesh.ShardParallel),
            Replicate = groups.Make($"replicate-{Text(mesh.TensorRank)}-{Text(mesh.ShardRank)}", mesh.Replica, mesh.Replicas),
            Tensor = groups.Make($"tensor-{Text(mesh.DataRank)}", mesh.TensorRank, mesh.TensorParallel),
            WireSumsIn16Bit = options.LikeNccl ?? nccl,
        };

        static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Sums over all ranks, in place.</summary>
    public void SumOverAll(double[] values) => Reduce(All, "sum", values, distributed.ReduceOp.SUM);

    /// <summary>Largest over all ranks, in place.</summary>
    public void MaxOverAll(long[] values) => Reduce(All, "max", values, distributed.ReduceOp.MAX);

    /// <summary>The values of every rank, in rank order.</summary>
    public long[] GatherFromAll(long[] values)
    {
        if (All is null) return values;
        using Tensor mine = tensor(values), all = empty([(long)values.Length * Mesh.WorldSize], int64);
        Collectives.Run("gather", values.Length, () => All.all_gather_into_tensor(all, mine));
        return all.ToArray<long>();
    }

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
        foreach (var group in new[] { Tensor, Replicate, Shard, All }) group?.Dispose();
    }

    private void Reduce<T>(distributed.ProcessGroup? group, string kind, T[] values, distributed.ReduceOp op)
        where T : unmanaged
    {
        if (group is null) return;
        using var wire = tensor(values);
        Collectives.Run(kind, values.Length, () => group.all_reduce(wire, op));
        wire.AsSpan<T>().CopyTo(values);
    }

    private sealed class Groups(distributed.Store store, string address, bool nccl, WorldOptions options)
    {
        private readonly GlooOptions _gloo = new() { Address = address };

        public distributed.ProcessGroup? Make(string name, int rank, int size)
        {
            if (size == 1) return null;
            if (!nccl) return Gloo(name, rank, size);
            using var prefix = Prefix(name);
            return Dressed(name, distributed.ProcessGroupNCCL(prefix, rank, size, options.Timeout));
        }

        public distributed.ProcessGroup Gloo(string name, int rank, int size) => Dressed(name, Bare(name, rank, size));

        private distributed.ProcessGroup Dressed(string name, distributed.ProcessGroup group)
        {
            if (options.Decorate is { } decorate) group = decorate(group);
            return options.CheckCollectives ? new CheckedGroup(name, group, Bare($"{name}/check", group.rank, group.size)) : group;
        }

        // The group keeps what it needs of the store. A store handle left to the finalizer keeps its connection, and when the server ends first
        // libtorch 1.13's listener polls the closed socket without pause.
        private distributed.ProcessGroup Bare(string name, int rank, int size)
        {
            using var prefix = Prefix(name);
            return distributed.ProcessGroupGloo(prefix, rank, size, options.Timeout, _gloo);
        }

        private distributed.PrefixStore Prefix(string name) => new($"group/{name}", store);
    }
}
