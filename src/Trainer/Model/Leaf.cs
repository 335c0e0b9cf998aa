using Opt.Trainer.Parallel;
using static Opt.Torch.torch;

namespace Opt.Trainer.Model;

/// <summary>A run of a unit's flat vector that the computation treats as one tensor: a parameter, or neighbours seen as one.</summary>
internal sealed record Leaf(long Offset, long Elements, long[] Shape)
{
    /// <summary>The elements within a flat vector, in shape; shares its memory.</summary>
    public Tensor View(Tensor flat)
    {
        using var run = flat.narrow(0, Offset, Elements);
        return run.view(Shape);
    }

    /// <summary>The leaf of <paramref name="count"/> neighbouring parameters stacked along dimension 0.</summary>
    public static Leaf Of(UnitLayout layout, int first, int count = 1)
    {
        var shape = (long[])layout.LocalShape(first).Clone();
        shape[0] *= count;
        return new(layout.OffsetOf(first), layout.OffsetOf(first + count) - layout.OffsetOf(first), shape);
    }
}
