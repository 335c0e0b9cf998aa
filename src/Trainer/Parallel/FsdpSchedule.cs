using Opt.Api;
using Opt.Trainer.Model;
using Opt.Trainer.Tracing;
using Opt.Trainer.Workers;
using static Opt.Torch.torch;

namespace Opt.Trainer.Parallel;

/// <summary>Sums over the targets of one micro-batch on one rank.</summary>
internal readonly record struct PassResult(double Loss, double ActivationNorm);

/// <summary>
/// One forward and backward pass as an explicit schedule over units: each block's parameters are gathered one block ahead, used and let go;
/// in backward they are gathered again and the block is recomputed from its input (or its graph kept), its gradients go to the reduction at
/// once, and the root, which is used first and last, comes last.
/// </summary>
internal sealed class FsdpSchedule
{
    private readonly OptRoot _root;
    private readonly OptBlock[] _blocks;
    private readonly Leaf[] _leaves;
    private readonly ParameterGather _parameters;
    private readonly GradientReduction _gradients;
    private readonly bool _recompute;
    private readonly ulong _seed;
    private readonly TimeProvider _time;
    private readonly TraceRecorder? _trace;
    private readonly FlightRecorder? _flight;
    private readonly Dictionary<(int Slot, nint Flat), Tensor[]> _opened = [];

    public FsdpSchedule(ModelDimensions model, ShardStorage storage, TensorParallel tensor, ParameterGather parameters, GradientReduction gradients, bool recompute, long seed, TimeProvider time, TraceRecorder? trace = null, FlightRecorder? flight = null)
    {
        _root = new(model, storage.Layouts[0], tensor);
        _blocks = [.. Enumerable.Range(0, model.Layers).Select(layer => new OptBlock(model, layer, tensor))];
        _leaves = BlockLeaves.Of(storage.Layouts[1]);
        (_parameters, _gradients, _recompute, _seed, _time, _trace, _flight) = (parameters, gradients, recompute, (ulong)seed, time, trace, flight);
    }

    /// <summary>Time spent in forward and in backward passes so far, waiting for collectives included.</summary>
    public (TimeSpan Forward, TimeSpan Backward) Spent { get; private set; }

    /// <summary>Forward and backward; gradients of seed times the summed loss are added to the reduction.</summary>
    public PassResult Train(TokenBatch batch, double seed, Turn turn)
    {
        var start = _time.GetTimestamp();
        using var scope = NewDisposeScope();
        var context = new ForwardContext(_seed, batch.Samples, Training: true);
        var kept = Forward(batch, context, out var h);
        var root = _parameters.Use(0);
        var forward = _time.GetTimestamp();
        using var off = no_grad();
        var head = Head(root, batch, h, seed);
        var dh = head.Gradient!;
        for (var layer = _blocks.Length - 1; layer >= 0; layer--) dh = Backward(layer, kept[layer], dh, context, turn);
        EmbedBackward(root, batch, dh);
        Spent = (Spent.Forward + _time.GetElapsedTime(start, forward), Spent.Backward + _time.GetElapsedTime(forward));
        return new(head.Loss, batch.Tokens == 0 ? 0 : head.ActivationNorm);
    }

    /// <summary>Forward alone, without dropout.</summary>
    public PassResult Evaluate(TokenBatch batch)
    {
        using var scope = NewDisposeScope();
        using var off = no_grad();
        var h = Hidden(batch);
        var head = _root.Head(_parameters.Use(0), null, batch, h, seed: 1);
        return new(head.Loss, head.ActivationNorm);
    }

    /// <summary>Logits without dropout, [tokens, vocabulary]; the caller owns them.</summary>
    public Tensor Logits(TokenBatch batch)
    {
        using var scope = NewDisposeScope();
        using var off = no_grad();
        return _root.Logits(_parameters.Use(0), Hidden(batch)).MoveToOuterDisposeScope();
    }

    /// <summary>Output of the last block, without dropout, [sequences, length, hidden]; the caller owns it.</summary>
    private Tensor Hidden(TokenBatch batch)
    {
        var context = new ForwardContext(_seed, batch.Samples, Training: false);
        _parameters.Prefetch(0);
        _parameters.Prefetch(1);
        var h = _root.Embed(_parameters.Use(0), batch);
        for (var layer = 0; layer < _blocks.Length; layer++)
        {
            var p = Open(layer);
            _parameters.Prefetch(layer + 2);
            var next = _blocks[layer].Forward(h, p, context);
            h.Dispose();
            h = next;
        }

        return h;
    }

    private HeadResult Head(Tensor root, TokenBatch batch, Tensor h, double seed)
    {
        _flight?.Enter("head");
        using var span = TraceRecorder.Span(_trace, "compute", "head");
        return _root.Head(root, _gradients.RootSum, batch, h, seed);
    }

    private void EmbedBackward(Tensor root, TokenBatch batch, Tensor dh)
    {
        using var span = TraceRecorder.Span(_trace, "compute", "backward embedding");
        _root.EmbedBackward(root, _gradients.RootSum, batch, dh);
    }

    private Kept[] Forward(TokenBatch batch, in ForwardContext context, out Tensor h)
    {
        _parameters.Prefetch(0);
        _parameters.Prefetch(1);
        h = _root.Embed(_parameters.Use(0), batch);
        var kept = new Kept[_blocks.Length];
        for (var layer = 0; layer < _blocks.Length; layer++)
        {
            _flight?.Enter("forward", layer);
            var p = Open(layer);
            _parameters.Prefetch(layer + 2);   // one ahead; its slot was let go with the block before this one
            using var span = TraceRecorder.Span(_trace, "compute", "forward", layer);
            kept[layer] = _recompute ? Inputs(h) : Run(layer, h, p, context);
            using var off = no_grad();
            h = kept[layer].Output?.detach() ?? _blocks[layer].Forward(h, p, context);
        }

        return kept;
    }

    private Tensor Backward(int layer, Kept kept, Tensor dh, in ForwardContext context, Turn turn)
    {
        _flight?.Enter("backward", layer);
        var p = Open(layer);
        if (layer > 0) _parameters.Prefetch(layer);   // unit of block layer - 1
        var span = TraceRecorder.Span(_trace, "compute", "backward", layer);
        if (kept.Output is null)
        {
            var input = kept.Input;
            kept = Run(layer, input, p, context);
            input.Dispose();
        }

        var gradients = autograd.grad([kept.Output!], [kept.Input, .. p], [dh]);
        foreach (var used in (Tensor[])[kept.Output!, kept.Input, dh]) used.Dispose();
        span.Dispose();
        _gradients.Reduce(layer + 1, _leaves, gradients.AsSpan(1), turn);
        for (var i = 1; i < gradients.Length; i++) gradients[i]!.Dispose();
        return gradients[0]!;
    }

    private static Kept Inputs(Tensor h) => new(h, null);

    private Kept Run(int layer, Tensor h, Tensor[] p, in ForwardContext context)
    {
        using var on = enable_grad();
        var input = h.detach().requires_grad_();
        return new(input, _blocks[layer].Forward(input, p, context));
    }

    // Views live as long as the buffer they look into, so they are made once for each.
    private Tensor[] Open(int layer)
    {
        var flat = _parameters.Use(layer + 1);
        var key = (_parameters.SlotOf(layer + 1), flat.DangerousGetHandle());
        if (_opened.TryGetValue(key, out var opened)) return opened;
        opened = BlockLeaves.Open(_leaves, flat);
        foreach (var view in opened) view.DetachFromDisposeScope();
        return _opened[key] = opened;
    }

    private readonly record struct Kept(Tensor Input, Tensor? Output);
}
