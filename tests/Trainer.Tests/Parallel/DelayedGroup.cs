using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using static Opt.Torch.torch;

namespace Opt.Trainer.Tests.Parallel;

/// <summary>
/// A group that behaves as badly as the rules allow, where Gloo is kind: each collective runs late, on another thread; until
/// <see cref="distributed.Work.Wait"/> its outputs hold NaN; and whoever lets go of a tensor under way, or writes to one, is told so by Wait.
/// In 16 bit it sums as NCCL does, rounding each time.
/// </summary>
internal sealed class DelayedGroup : distributed.ProcessGroup
{
    private const int MostDelayMicroseconds = 2000;
    private readonly distributed.ProcessGroup _inner;
    private readonly BlockingCollection<Late> _queue = [];
    private readonly Random _random;
    private readonly Thread _thread;

    public DelayedGroup(distributed.ProcessGroup inner) : base(inner.rank, inner.size)
    {
        (_inner, _random) = (inner, new(inner.rank));
        _thread = new(Run) { IsBackground = true, Name = "delayed group" };
        _thread.Start();
    }

    protected override distributed.ProcessGroup Inner => _inner;

    public override distributed.Work all_reduce(Tensor tensor, distributed.ReduceOp op = distributed.ReduceOp.SUM) =>
        Later("all-reduce", null, tensor, (_, whole) => _inner.all_reduce(whole, op));

    public override distributed.Work broadcast(Tensor tensor, int src) => Later("broadcast", null, tensor, (_, whole) => _inner.broadcast(whole, src));

    public override distributed.Work all_gather_into_tensor(Tensor output, Tensor input) =>
        Later("all-gather", input, output, (mine, all) => _inner.all_gather_into_tensor(all, mine));

    public override distributed.Work reduce_scatter_tensor(Tensor output, Tensor input) => Later("reduce-scatter", input, output, (whole, shard) =>
        whole.dtype == float16 ? SumInHalf(whole, shard) : _inner.reduce_scatter_tensor(shard, whole));

    public override distributed.Work all_to_all_single(Tensor output, Tensor input, ReadOnlySpan<long> output_splits = default, ReadOnlySpan<long> input_splits = default)
    {
        var (received, sent) = (output_splits.ToArray(), input_splits.ToArray());
        return Later("all-to-all", input, output, (from, to) => _inner.all_to_all_single(to, from, received, sent));
    }

    public override distributed.Work send(Tensor tensor, int dst, int tag = 0) => _inner.send(tensor, dst, tag);

    public override distributed.Work recv(Tensor tensor, int src, int tag = 0) => _inner.recv(tensor, src, tag);

    public override distributed.Work barrier() => _inner.barrier();

    protected override void Dispose(bool disposing)
    {
        _queue.CompleteAdding();
        _thread.Join(TimeSpan.FromSeconds(5));
        _queue.Dispose();
        _inner.Dispose();
    }

    private Late Later(string kind, Tensor? input, Tensor output, Func<Tensor, Tensor, distributed.Work> run)
    {
        var late = new Late(kind, input, output, run);
        _queue.Add(late);
        return late;
    }

    private distributed.Work SumInHalf(Tensor whole, Tensor shard)
    {
        using var parts = empty([whole.numel()], float16);
        var work = _inner.all_to_all_single(parts, whole);
        work.Wait();
        Span<Half> all = parts.AsSpan<Half>();
        var sum = shard.AsSpan<float>();
        for (var i = 0; i < sum.Length; i++)
        {
            var s = Half.Zero;
            for (var r = 0; r < size; r++) s += all[r * sum.Length + i];
            sum[i] = (float)s;
        }

        return work;
    }

    private void Run()
    {
        using var off = no_grad();
        using var never = new ManualResetEventSlim();
        foreach (var late in _queue.GetConsumingEnumerable())
        {
            never.Wait(TimeSpan.FromMicroseconds(_random.Next(MostDelayMicroseconds)));
            late.Run();
        }
    }

    private sealed class Late : distributed.Work
    {
        private readonly string _kind;
        private readonly Tensor? _input, _watched;
        private readonly Tensor _output, _sent, _received;
        private readonly Func<Tensor, Tensor, distributed.Work> _run;
        private readonly ManualResetEventSlim _over = new();
        private Exception? _error;

        public Late(string kind, Tensor? input, Tensor output, Func<Tensor, Tensor, distributed.Work> run)
        {
            (_kind, _input, _output, _run) = (kind, input, output, run);
            _watched = input?.detach().DetachFromDisposeScope();   // the memory stays, whatever becomes of the tensor
            _sent = (input ?? output).clone().DetachFromDisposeScope();
            _received = input is null ? _sent : empty_like(output).DetachFromDisposeScope();
            output.bytes.Fill(0xFF);   // NaN in every floating-point type
        }

        public override bool IsCompleted => _over.IsSet;

        public void Run()
        {
            try
            {
                Check();
                using var work = _run(_sent, _received);
                work.Wait();
            }
            catch (Exception e)
            {
                _error = e;
            }

            _over.Set();
        }

        public override void Wait(TimeSpan? timeout = null)
        {
            _over.Wait();
            if (_error is not null) ExceptionDispatchInfo.Throw(_error);
            Check();
            _output.copy_(_received);
        }

        public override void Dispose()
        {
            _over.Wait();
            foreach (var tensor in new[] { _watched, _sent, _received }.OfType<Tensor>().Distinct()) tensor.Dispose();
            _over.Dispose();
        }

        private void Check()
        {
            if (_output.IsClosed || _input is { IsClosed: true }) throw new InvalidOperationException($"a tensor of {_kind} was disposed before Wait");
            if (_output.bytes.ContainsAnyExcept((byte)0xFF)) throw new InvalidOperationException($"the output of {_kind} was written before Wait");
            if (_watched is not null && !_watched.bytes.SequenceEqual(_sent.bytes)) throw new InvalidOperationException($"the input of {_kind} was written before Wait");
        }
    }
}
