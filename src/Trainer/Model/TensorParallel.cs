using Opt.Torch;
using static Opt.Torch.torch;

namespace Opt.Trainer.Model;

/// <summary>The tensor-parallel group a model part computes in; the group of one is the plain model.</summary>
/// <param name="Group">Null for a group of one.</param>
internal sealed record TensorParallel(distributed.ProcessGroup? Group)
{
    public static readonly TensorParallel None = new((distributed.ProcessGroup?)null);

    public int Rank => Group?.rank ?? 0;
    public int Size => Group?.size ?? 1;

    /// <summary>Megatron's f, before a column-parallel layer.</summary>
    public Tensor Copy(Tensor x) => Group is null ? x : ops.opt.parallel_copy(x, Group);

    /// <summary>Megatron's g, after a row-parallel layer.</summary>
    public Tensor Reduce(Tensor x) => Group is null ? x : ops.opt.parallel_reduce(x, Group);

    /// <summary>In place, outside the graph.</summary>
    public Tensor AllReduce(Tensor x, distributed.ReduceOp op = distributed.ReduceOp.SUM)
    {
        if (Group is null) return x;
        using var work = Group.all_reduce(x, op);
        work.Wait();
        return x;
    }
}
