using static Opt.Torch.torch;

namespace Opt.Trainer.Tests.Parallel;

/// <summary>
/// A data-parallel group of one whose collectives take a given time, one after the other, like those of a wire: what a schedule hides of them
/// depends on nothing but the schedule.
/// </summary>
internal sealed class SlowWire() : distributed.ProcessGroup(0, 1)
{
    public TimeSpan Delay { get; set; }

    public override distributed.Work all_gather_into_tensor(Tensor output, Tensor input) => Later(output, input);

    public override distributed.Work reduce_scatter_tensor(Tensor output, Tensor input) => Later(output, input);

    public override distributed.Work all_reduce(Tensor tensor, distributed.ReduceOp op = distributed.ReduceOp.SUM) => throw new NotSupportedException();

    public override distributed.Work broadcast(Tensor tensor, int src) => throw new NotSupportedException();

    public override distributed.Work all_to_all_single(Tensor output, Tensor input, ReadOnlySpan<long> output_splits = default, ReadOnlySpan<long> input_splits = default) => throw new NotSupportedException();

    public override distributed.Work send(Tensor tensor, int dst, int tag = 0) => throw new NotSupportedException();

    public override distributed.Work recv(Tensor tensor, int src, int tag = 0) => throw new NotSupportedException();

    public override distributed.Work barrier() => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
    }

    private Transfer Later(Tensor output, Tensor input) => new(() => output.copy_(input), Task.Delay(Delay, TimeProvider.System));

    private sealed class Transfer(Action copy, Task wire) : distributed.Work
    {
        public override bool IsCompleted => wire.IsCompleted;

        public override void Wait(TimeSpan? timeout = null)
        {
            wire.Wait();
            copy();
        }

        public override void Dispose()
        {
        }
    }
}
