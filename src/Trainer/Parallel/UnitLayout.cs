using Opt.Trainer.Checkpoints;
using Opt.Trainer.Model;

namespace Opt.Trainer.Parallel;

/// <summary>Where the parameters of one unit lie in the flat vector of one tensor-parallel rank, and how that vector is cut into data-parallel shards.</summary>
public sealed class UnitLayout
{
    private readonly long[] _offsets;

    public UnitLayout(UnitSpec unit, int tensorParallel, int dataParallel)
    {
        Unit = unit;
        TensorParallel = tensorParallel;
        DataParallel = dataParallel;
        _offsets = new long[unit.Parameters.Count + 1];
        for (var i = 0; i < unit.Parameters.Count; i++) _offsets[i + 1] = _offsets[i] + LocalElements(i);
    }

    public UnitSpec Unit { get; }
    public int TensorParallel { get; }
    public int DataParallel { get; }

    /// <summary>Elements of the flat vector, padding excluded.</summary>
    public long Elements => _offsets[^1];

    /// <summary>Elements of every shard.</summary>
    public long ShardElements => Sharding.Chunk(Elements, DataParallel);

    /// <summary>Elements of the gathered vector, padding included.</summary>
    public long GatheredElements => ShardElements * DataParallel;

    /// <summary>First element of parameter <paramref name="index"/> in the flat vector.</summary>
    public long OffsetOf(int index) => _offsets[index];

    public long LocalElements(int index) => Product(LocalShape(index));

    public long[] LocalShape(int index) => Unit.Parameters[index].LocalShape(TensorParallel);

    /// <summary>Position of a parameter by name.</summary>
    public int IndexOf(string name)
    {
        for (var i = 0; i < Unit.Parameters.Count; i++)
        {
            if (Unit.Parameters[i].Name == name) return i;
        }

        throw new ArgumentException($"unit {Unit.Name} has no parameter {name}", nameof(name));
    }

    /// <summary>The runs of parameters that the shard of one data-parallel rank holds, in order.</summary>
    public IEnumerable<ParameterSlice> SlicesOf(int dataRank)
    {
        var (from, length) = Sharding.Slice(Elements, DataParallel, dataRank);
        for (var i = 0; i < Unit.Parameters.Count; i++)
        {
            var first = Math.Max(from, _offsets[i]);
            var last = Math.Min(from + length, _offsets[i + 1]);
            if (first >= last) continue;
            var parameter = Unit.Parameters[i];
            yield return new()
            {
                Parameter = parameter.Name,
                Shape = [.. parameter.Shape],
                TensorParallelDim = parameter.TensorParallelDim,
                Unit = Unit.Name,
                UnitOffset = first - from,
                ParameterOffset = first - _offsets[i],
                Length = last - first,
            };
        }
    }

    private static long Product(long[] shape) => shape.Aggregate(1L, (a, b) => a * b);
}
