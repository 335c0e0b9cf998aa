using Opt.Api;

namespace Opt.Trainer.Checkpoints;

/// <summary>Maps between elements of a whole parameter and of its tensor-parallel parts. Row-major; the parameter is split evenly along one dimension.</summary>
internal readonly struct TensorParallelPart
{
    private readonly long _inner;
    private readonly long _localInner;
    private readonly bool _whole;
    private readonly int _size;

    /// <param name="dim">Null: every rank holds the whole parameter.</param>
    /// <exception cref="CheckpointException">The dimension cannot be split evenly.</exception>
    public TensorParallelPart(EquatableList<long> shape, int? dim, int size, string name)
    {
        _whole = dim is null || size == 1;
        _size = size;
        if (dim is { } d && shape[d] % size != 0) throw new CheckpointException($"{name}: dimension {d} of {shape} cannot be split over {size} tensor-parallel ranks");
        _inner = shape.Skip(dim ?? 0).Aggregate(1L, (product, n) => checked(product * n));
        _localInner = _whole ? _inner : _inner / size;
    }

    /// <summary>The global element, and how many after it are contiguous on both sides (itself included).</summary>
    public (long Global, long Run) ToGlobal(int rank, long local)
    {
        if (_whole) return (local, long.MaxValue);
        var within = local % _localInner;
        return (local / _localInner * _inner + rank * _localInner + within, _localInner - within);
    }

    /// <summary>The part that holds a global element, its place there, and how many after it are contiguous on both sides.</summary>
    /// <param name="preferred">Spreads readers of a parameter that every part holds.</param>
    public (int Rank, long Local, long Run) ToLocal(long global, int preferred)
    {
        if (_whole) return (preferred % _size, global, long.MaxValue);
        var column = global % _inner;
        var within = column % _localInner;
        return ((int)(column / _localInner), global / _inner * _localInner + within, _localInner - within);
    }
}
