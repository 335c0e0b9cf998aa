using Opt.Trainer.Model;
using Opt.Trainer.Optimization;
using static Opt.Torch.torch;

namespace Opt.Trainer.Parallel;

/// <summary>
/// Gradients of whole units to this rank's shard of their sum over ranks, in fp32, while backward goes on. Two buffers for all blocks; the
/// root's own is fp32, since both uses of the embedding add up in it, and is reduced once an attempt. In 16 bit every block's gradient is
/// rounded before it is summed, at every world size.
/// </summary>
internal sealed class GradientReduction : IDisposable
{
    private readonly ShardStorage _storage;
    private readonly distributed.ProcessGroup? _group;
    private readonly CollectiveThread _collectives;
    private readonly PrePostDivide _divide;
    private readonly bool _inPlace;
    private readonly Buffer[] _buffers;
    private readonly Tensor _rootSum;
    private readonly Tensor? _rootWire;

    /// <param name="wireSumsIn16Bit">The collective rounds its sums (NCCL in fp16): divide before and after.</param>
    public GradientReduction(ShardStorage storage, distributed.ProcessGroup? group, CollectiveThread collectives, bool wireSumsIn16Bit, Device device)
    {
        (_storage, _group, _collectives) = (storage, group, collectives);
        _inPlace = group is null && storage.WireType == float32;
        _divide = wireSumsIn16Bit ? PrePostDivide.Of(group!.size) : new(1, 1);
        var root = storage.Layouts[0];
        var block = storage.Layouts[1];
        _rootSum = _inPlace ? storage.GradientOf(0) : zeros([root.GatheredElements], float32, device);
        _rootWire = _inPlace || storage.WireType == float32 ? null : zeros([root.GatheredElements], storage.WireType, device);
        _buffers = _inPlace ? [] : [.. Enumerable.Range(0, group is null ? 1 : 2).Select(_ => new Buffer(block, storage.WireType, device))];
    }

    /// <summary>Where the root's gradient adds up over one attempt; fp32, padding at the end.</summary>
    public Tensor RootSum => _rootSum;

    /// <summary>Start of an attempt.</summary>
    public void Begin() => _rootSum.zero_();

    /// <summary>Takes the gradients of a block's leaves and starts their reduction.</summary>
    /// <param name="first">First micro-batch of the attempt: replaces what the shard held.</param>
    public void Reduce(int unit, Leaf[] leaves, ReadOnlySpan<Tensor?> gradients, bool first)
    {
        if (_inPlace)
        {
            Write(_storage.GradientOf(unit), leaves, gradients, first);
            return;
        }

        var buffer = _buffers[unit % _buffers.Length];
        buffer.Pending?.Wait();
        Write(buffer.Flat, leaves, gradients, replace: true);
        if (_group is null)
        {
            Add(_storage.GradientOf(unit), buffer.Flat, first);
            return;
        }

        if (_divide.Pre != 1) buffer.Flat.div_(_divide.Pre);
        buffer.Pending = _collectives.Submit("reduce-scatter", buffer.Flat.numel(), () => _group.reduce_scatter_tensor(buffer.Shard, buffer.Flat),
            () => Collect(_storage.GradientOf(unit), buffer.Shard, first), unit);
    }

    /// <summary>End of an attempt: reduces the root and waits for everything.</summary>
    public void Finish()
    {
        if (_inPlace) return;
        if (_rootWire is not null) _rootWire.copy_(_rootSum);
        var wire = _rootWire ?? _rootSum;
        var shard = _storage.GradientOf(0);
        if (_group is null)
        {
            Add(shard, wire, replace: true);
        }
        else
        {
            if (_divide.Pre != 1) wire.div_(_divide.Pre);
            _collectives.Submit("reduce-scatter", wire.numel(), () => _group.reduce_scatter_tensor(shard, wire), () => PostDivide(shard), unit: 0).Wait();
        }

        foreach (var buffer in _buffers) buffer.Pending?.Wait();
    }

    public void Dispose()
    {
        foreach (var buffer in _buffers) buffer.Dispose();
        if (!_inPlace) _rootSum.Dispose();
        _rootWire?.Dispose();
    }

    private void Collect(Tensor shard, Tensor sum, bool first)
    {
        PostDivide(sum);
        Add(shard, sum, first);
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
