using System.Globalization;
using System.Text;
using Opt.Api.Protocol;
using static Opt.Torch.torch;

namespace Opt.Trainer.Parallel;

/// <summary>
/// A group that compares each collective (its number, kind, elements and type) with the other members before it issues it, over a group of its
/// own. Where ranks disagree all of them end at once and say what each wanted; without it they would hang, or mix up data. For debugging: it
/// costs a round trip each time. The sums inside autograd nodes of tensor parallelism go past it.
/// </summary>
internal sealed class CheckedGroup(string name, distributed.ProcessGroup inner, distributed.ProcessGroup side) : distributed.ProcessGroup(inner.rank, inner.size)
{
    private const int Width = 80;
    private long _issued;

    protected override distributed.ProcessGroup Inner => inner;

    public override distributed.Work all_reduce(Tensor tensor, distributed.ReduceOp op = distributed.ReduceOp.SUM)
    {
        Compare($"all-reduce {op}", tensor);
        return inner.all_reduce(tensor, op);
    }

    public override distributed.Work broadcast(Tensor tensor, int src)
    {
        Compare($"broadcast from {Text(src)}", tensor);
        return inner.broadcast(tensor, src);
    }

    public override distributed.Work all_gather_into_tensor(Tensor output, Tensor input)
    {
        Compare("all-gather", input);
        return inner.all_gather_into_tensor(output, input);
    }

    public override distributed.Work reduce_scatter_tensor(Tensor output, Tensor input)
    {
        Compare("reduce-scatter", input);
        return inner.reduce_scatter_tensor(output, input);
    }

    public override distributed.Work all_to_all_single(Tensor output, Tensor input, ReadOnlySpan<long> output_splits = default, ReadOnlySpan<long> input_splits = default)
    {
        Compare("all-to-all", null);   // ranks may send different amounts
        return inner.all_to_all_single(output, input, output_splits, input_splits);
    }

    public override distributed.Work send(Tensor tensor, int dst, int tag = 0) => inner.send(tensor, dst, tag);

    public override distributed.Work recv(Tensor tensor, int src, int tag = 0) => inner.recv(tensor, src, tag);

    public override distributed.Work barrier()
    {
        Compare("barrier", null);
        return inner.barrier();
    }

    protected override void Dispose(bool disposing)
    {
        side.Dispose();
        inner.Dispose();
    }

    private void Compare(string kind, Tensor? sent)
    {
        _issued++;
        var mine = sent is null ? kind : $"{kind} of {Text(sent.numel())} {sent.dtype}";
        var all = Exchange(mine);
        if (all.Any(theirs => theirs != mine))
        {
            throw new TrainerException(WorkerExit.ControlDiverged, $"collective {Text(_issued)} of group {name}: {string.Join("; ", all.Select((what, r) => $"rank {Text(r)} issues {what}"))}");
        }
    }

    private string[] Exchange(string mine)
    {
        var bytes = new byte[Width];
        Encoding.ASCII.GetBytes(mine.AsSpan(0, Math.Min(mine.Length, Width)), bytes);
        using var scope = NewDisposeScope();
        Tensor sent = tensor(bytes), all = empty([Width * size], uint8);
        try
        {
            using var work = side.all_gather_into_tensor(all, sent);
            work.Wait();
        }
        catch (distributed.DistributedTimeoutException e)
        {
            throw new TrainerException(WorkerExit.ControlDiverged, $"collective {Text(_issued)} of group {name}: rank {Text(rank)} issues {mine}, and some rank issues nothing", e);
        }

        return [.. all.ToArray<byte>().Chunk(Width).Select(part => Encoding.ASCII.GetString(part).TrimEnd('\0'))];
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
