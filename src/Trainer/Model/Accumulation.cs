using static Opt.Torch.torch;

namespace Opt.Trainer.Model;

/// <summary>Gradients add up in fp32, whatever type they were computed in.</summary>
internal static class Accumulation
{
    /// <summary>Adds <paramref name="a"/> x <paramref name="b"/> in place: without a temporary where all are of one type.</summary>
    public static void AddProduct(this Tensor sum, Tensor a, Tensor b)
    {
        if (a.dtype == sum.dtype)
        {
            sum.addmm_(a, b);
            return;
        }

        using var product = a.mm(b);
        sum.add_(product);
    }
}
