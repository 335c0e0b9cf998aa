using Opt.Trainer.Parallel;
using static Opt.Torch.torch;

namespace Opt.Trainer.Model;

/// <summary>The tensors one decoder block computes with, in the order of its flat vector. Key, value and query are one projection.</summary>
internal static class BlockLeaves
{
    public const int Kvq = 0, KvqBias = 1, Out = 2, OutBias = 3, AttentionNorm = 4, AttentionNormBias = 5, Fc1 = 6, Fc1Bias = 7, Fc2 = 8, Fc2Bias = 9, FinalNorm = 10, FinalNormBias = 11;

    /// <summary>Leaves of a block's layout; see <see cref="OptParameters"/> for the flat order.</summary>
    public static Leaf[] Of(UnitLayout block) =>
        [Leaf.Of(block, 0, 3), Leaf.Of(block, 3, 3), .. Enumerable.Range(6, 10).Select(i => Leaf.Of(block, i))];

    /// <summary>Views of a gathered flat vector that autograd differentiates with respect to.</summary>
    public static Tensor[] Open(Leaf[] leaves, Tensor flat)
    {
        var opened = new Tensor[leaves.Length];
        for (var i = 0; i < leaves.Length; i++)
        {
            using var view = leaves[i].View(flat);
            opened[i] = view.detach().requires_grad_();
        }

        return opened;
    }
}
