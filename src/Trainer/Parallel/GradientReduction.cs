using Opt.Trainer.Model;
using Opt.Trainer.Optimization;
using static Opt.Torch.torch;

namespace Opt.Trainer.Parallel;

/// <summary>Place of a micro-batch in its attempt: the first replaces what the shards held, after the last the copies of the state are summed.</summary>
internal readonly record struct Turn(bool First, bool Last);

/// <summary>
/// Gradients of whole units to this rank's shard of their sum over ranks, in fp32, while backward goes on. Two buffers for all blocks; the
/// root's own is fp32, since both uses of the embedding add up in it, and is reduced once an attempt. In 16 bit every block's gradient is
/// rounded before it is summed, at every world size. With hybrid sharding the fp32 shards are then summed over the copies of the state, once
/// an attempt.
/// </summary>
internal sealed class GradientReduction : IDisposable
{
    private readonly ShardStorage _storage;
    private readonly distributed.ProcessGroup? _group, _copies;
    private readonly CollectiveThread _collectives;
    private readonly PrePostDivide _divide;
    private readonly bool _inPlace;
    private readonly Buffer[] _buffers;
    private readonly Tensor _rootSum;
    private readonly Tensor? _rootWire;
    private readonly List<CollectiveThread.Pending> _sums = [];

    public GradientReduction(ShardStorage storage, World world, Device device)
    {
        (_storage, _group, _copies, _collectives) = (storage, world.Shard, world.Replicate, world.Collectives);
        _inPlace = _group is null && storage.WireType == float32;
        // A collective that rounds its sums (NCCL in fp16): divide before and after.
        _divide = world.WireSumsIn16Bit && _group is not null ? PrePostDivide.Of(_group.size) : new(1, 1);
        var root = storage.Layouts[0];
        var block = storage.Layouts[1];
        _rootSum = _inPlace ? storage.GradientOf(0) : zeros([root.GatheredElements], float32, device);
        _rootWire = _inPlace || storage.WireType == float32 ? null : zeros([root.GatheredElements], storage.WireType, device);
        _buffers = _inPlace ? [] : [.. Enumerable.Range(0, _group is null ? 1 : 2).Select(_ => new Buffer(block, storage.WireType, device))];
    }

    /// <summary>Where the root's gradient adds up over one attempt; fp32, padding at the end.</summary>
    public Tensor RootSum => _rootSum;

    /// <summary>Start of an attempt.</summary>
    public void Begin() => _rootSum.zero_();

    /// <summary>Takes the gradients of a block's leaves and starts their reduction.</summary>
    public void Reduce(int unit, Leaf[] leaves, ReadOnlySpan<Tensor?> gradients, Turn turn)
    {
        var shard = _storage.GradientOf(unit);
        if (_inPlace)
        {
            Write(shard, leaves, gradients, turn.First);
            if (turn.Last) SumOverCopies(unit);
            return;
        }

        var buffer = _buffers[unit % _buffers.Length];
        buffer.Pending?.Wait();
        Write(buffer.Flat, leaves, gradients, replace: true);
        if (_group is null)
        {
            Add(shard, buffer.Flat, turn.First);
            if (turn.Last) SumOverCopies(unit);
            return;
        }

        buffer.Pending = Scatter(unit, buffer.Shard, buffer.Flat, () => Collect(shard, buffer.Shard, turn));
    }

    /// <summary>End of an attempt: reduces the root and waits for everything.</summary>
    public void Finish()
    {
        var shard = _storage.GradientOf(0);
        var wire = _rootWire ?? _rootSum;
        if (_rootWire is not null) _rootWire.copy_(_rootSum);
        if (_group is not null) Scatter(0, shard, wire, () => PostDivide(shard)).Wait();
        else if (!_inPlace) Add(shard, wire, replace: true);
        SumOverCopies(0);
        foreach (var buffer in _buffers) buffer.Pending?.Wait();
        foreach (var sum in _sums) sum.Wait();
        _sums.Clear();
    }

    public void Dispose()
    {
        foreach (var buffer in _buffers) buffer.Dispose();
        if (!_inPlace) _rootSum.Dispose();
        _rootWire?.Dispose();
    }

    private CollectiveThread.Pending Scatter(int unit, Tensor shard, Tensor wire, Action after)
    {
        if (_divide.Pre != 1) wire.div_(_divide.Pre);
        return _collectives.Submit("reduce-scatter", wire.numel(), () => _group!.reduce_scatter_tensor(shard, wire), after, unit);
    }

    private void Collect(Tensor shard, Tensor sum, Turn turn)
    {
        PostDivide(sum);
        Add(shard, sum, turn.First);
        if (!turn.Last || _copies is null) return;
        using var work = _copies.all_reduce(shard);
        work.Wait();
    }

    private void SumOverCopies(int unit)
    {
        var shard = _storage.GradientOf(unit);
        if (_copies is not null) _sums.Add(_collectives.Submit("all-reduce", shard.numel(), () => _copies.all_reduce(shard), unit: unit));
    }

    // Pre times post is the number of ranks; the mean is turned back into the sum that everything else here means.
    private void PostDivide(Tensor sum)
    {
        if (_divide.Pre != 1) sum.mul_(_divide.Pre);
    }

    private static void Add(Tensor shard, Tensor gradient, bool replace)
    {
        if (replace) shard.copy_(gradient);
        else shard.add_(gradient);
    }

    private static void Write(Tensor flat, Leaf[] leaves, ReadOnlySpan<Tensor?> gradients, bool replace)
    {
        for (var i = 0; i < leaves.Length; i++)
        {
            using var view = leaves[i].View(flat);
            Add(view, gradients[i]!, replace);
        }
    }

    private sealed class Buffer(UnitLayout block, ScalarType wireType, Device device) : IDisposable
    {
        public Tensor Flat { get; } = zeros([block.GatheredElements], wireType, device);
        public Tensor Shard { get; } = zeros([block.ShardElements], float32, device);
        public CollectiveThread.Pending? Pending { get; set; }

        public void Dispose()
        {
            Flat.Dispose();
            Shard.Dispose();
        }
    }
}
