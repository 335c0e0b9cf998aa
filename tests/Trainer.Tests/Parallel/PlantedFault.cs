using static Opt.Torch.torch;

namespace Opt.Trainer.Tests.Parallel;

/// <summary>What may be done wrong with a collective under way.</summary>
public enum PlantedBug { None, GatherNotAwaited, ReductionNotAwaited, InputUsedAgain, InputLetGo }

/// <summary>Bugs on purpose, between the trainer and a group: what a schedule does that forgets to wait, or uses a buffer again too early.</summary>
internal sealed class PlantedFault(distributed.ProcessGroup inner, PlantedBug bug) : distributed.ProcessGroup(inner.rank, inner.size)
{
    protected override distributed.ProcessGroup Inner => inner;

    public override distributed.Work all_gather_into_tensor(Tensor output, Tensor input) =>
        Of(inner.all_gather_into_tensor(output, input), forgotten: bug == PlantedBug.GatherNotAwaited);

    public override distributed.Work reduce_scatter_tensor(Tensor output, Tensor input)
    {
        var given = bug == PlantedBug.InputLetGo ? input.detach() : input;
        var work = inner.reduce_scatter_tensor(output, given);
        if (bug == PlantedBug.InputUsedAgain) input.zero_();
        if (bug == PlantedBug.InputLetGo) given.Dispose();
        return Of(work, forgotten: bug == PlantedBug.ReductionNotAwaited);
    }

    public override distributed.Work all_reduce(Tensor tensor, distributed.ReduceOp op = distributed.ReduceOp.SUM) => inner.all_reduce(tensor, op);

    public override distributed.Work broadcast(Tensor tensor, int src) => inner.broadcast(tensor, src);

    public override distributed.Work all_to_all_single(Tensor output, Tensor input, ReadOnlySpan<long> output_splits = default, ReadOnlySpan<long> input_splits = default) =>
        inner.all_to_all_single(output, input, output_splits, input_splits);

    public override distributed.Work send(Tensor tensor, int dst, int tag = 0) => inner.send(tensor, dst, tag);

    public override distributed.Work recv(Tensor tensor, int src, int tag = 0) => inner.recv(tensor, src, tag);

    public override distributed.Work barrier() => inner.barrier();

    protected override void Dispose(bool disposing) => inner.Dispose();

    private static distributed.Work Of(distributed.Work work, bool forgotten) => forgotten ? new Forgotten(work) : work;

    private sealed class Forgotten(distributed.Work work) : distributed.Work
    {
        public override bool IsCompleted => work.IsCompleted;

        public override void Wait(TimeSpan? timeout = null)
        {
        }

        public override void Dispose() => work.Dispose();
    }
}
