namespace Opt.Trainer.Model;

/// <summary>How a parameter starts.</summary>
public enum Initialiser { Zero, One, Normal }

/// <summary>One parameter by its Hugging Face name.</summary>
/// <param name="Shape">Global shape; linear weights are [out, in].</param>
/// <param name="TensorParallelDim">Dimension split over tensor-parallel ranks; null for replicated.</param>
/// <param name="Std">Standard deviation of a normal start.</param>
/// <param name="ZeroRow">Row that starts as zero (the padding token's), or null.</param>
public sealed record ParameterSpec(string Name, long[] Shape, int? TensorParallelDim, Initialiser Initialiser, double Std = 0, int? ZeroRow = null)
{
    public long Elements => Shape.Aggregate(1L, (a, b) => a * b);

    /// <summary>Shape of the part one tensor-parallel rank holds.</summary>
    public long[] LocalShape(int tensorParallel)
    {
        var shape = (long[])Shape.Clone();
        if (TensorParallelDim is { } dim) shape[dim] /= tensorParallel;
        return shape;
    }
}

/// <summary>Parameters that are gathered, computed with and freed together: one decoder block, or the root (embeddings, positions, final LayerNorm, head).</summary>
public sealed record UnitSpec(string Name, IReadOnlyList<ParameterSpec> Parameters)
{
    public long LocalElements(int tensorParallel) => Parameters.Sum(p => p.LocalShape(tensorParallel).Aggregate(1L, (a, b) => a * b));
}
