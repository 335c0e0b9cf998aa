using Opt.Api;

namespace Opt.Trainer.Checkpoints;

/// <summary>The slice table of a checkpoint, searchable by parameter.</summary>
internal sealed class SourceIndex
{
    private readonly int _tensorParallel;
    private readonly Dictionary<string, Parameter> _parameters;

    public SourceIndex(SliceTable table, int tensorParallel)
    {
        _tensorParallel = tensorParallel;
        var parameters = table.Parameters.Select(p => new Parameter(p, [.. Enumerable.Range(0, tensorParallel).Select(_ => new List<Source>())])).ToArray();
        for (var rank = 0; rank < table.Ranks.Count; rank++)
        {
            foreach (var row in table.Ranks[rank].Slices)
            {
                parameters[row[0]].Sources[table.Ranks[rank].TensorParallelRank].Add(new(rank, (int)row[1], row[2], row[3], row[4]));
            }
        }

        foreach (var list in parameters.SelectMany(p => p.Sources)) list.Sort((a, b) => a.ParameterOffset.CompareTo(b.ParameterOffset));
        _parameters = parameters.ToDictionary(p => p.Table.Name, StringComparer.Ordinal);
    }

    /// <summary>Where the elements of a target slice lie, in order.</summary>
    public IEnumerable<Piece> Find(ParameterSlice slice, int targetRank, int targetSize)
    {
        if (!_parameters.TryGetValue(slice.Parameter, out var parameter)) throw new CheckpointException($"the checkpoint has no parameter {slice.Parameter}: it is of another model");
        if (parameter.Table.Shape != slice.Shape) throw new CheckpointException($"parameter {slice.Parameter} has shape {parameter.Table.Shape} in the checkpoint and {slice.Shape} in this model");
        return Localize(slice, parameter.Table, targetRank, targetSize).SelectMany(local => Cut(parameter, local));
    }

    /// <summary>Runs of the slice in coordinates of the checkpoint's tensor-parallel parts.</summary>
    private IEnumerable<Local> Localize(ParameterSlice slice, TableParameter source, int targetRank, int targetSize)
    {
        // Replicated on both sides: any copy will do; spread the readers over them.
        if (source.TensorParallelDim is null && slice.TensorParallelDim is null) return [new(targetRank % _tensorParallel, slice.ParameterOffset, slice.UnitOffset, slice.Length)];
        if (_tensorParallel == targetSize && source.TensorParallelDim == slice.TensorParallelDim) return [new(targetRank, slice.ParameterOffset, slice.UnitOffset, slice.Length)];
        return Reshard(slice, source, targetRank, targetSize);
    }

    private IEnumerable<Local> Reshard(ParameterSlice slice, TableParameter source, int targetRank, int targetSize)
    {
        var from = new TensorParallelPart(source.Shape, source.TensorParallelDim, _tensorParallel, slice.Parameter);
        var to = new TensorParallelPart(slice.Shape, slice.TensorParallelDim, targetSize, slice.Parameter);
        for (long done = 0; done < slice.Length;)
        {
            var (global, run) = to.ToGlobal(targetRank, slice.ParameterOffset + done);
            var (rank, local, sourceRun) = from.ToLocal(global, preferred: targetRank);
            var length = Math.Min(slice.Length - done, Math.Min(run, sourceRun));
            yield return new(rank, local, slice.UnitOffset + done, length);
            done += length;
        }
    }

    private static IEnumerable<Piece> Cut(Parameter parameter, Local local)
    {
        var sources = parameter.Sources[local.Rank];
        var end = local.Offset + local.Length;
        var position = local.Offset;
        for (var i = FirstEndingAfter(sources, position); i < sources.Count && position < end; i++)
        {
            var source = sources[i];
            if (source.ParameterOffset > position) break;
            var length = Math.Min(end, source.ParameterOffset + source.Length) - position;
            if (length <= 0) continue;
            yield return new(source.Rank, source.Unit, source.UnitOffset + (position - source.ParameterOffset), local.Target + (position - local.Offset), length);
            position += length;
        }

        if (position < end) throw new CheckpointException($"the checkpoint lacks elements {position} to {end} of {parameter.Table.Name} (tensor-parallel part {local.Rank})");
    }

    /// <summary>First slice, in order of offset, that ends after <paramref name="position"/>; slices do not overlap.</summary>
    private static int FirstEndingAfter(List<Source> sources, long position)
    {
        var (low, high) = (0, sources.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (sources[middle].ParameterOffset + sources[middle].Length <= position) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    /// <summary>Elements in an object: rank, unit and offset in it; and where they go in the target's unit.</summary>
    internal readonly record struct Piece(int Rank, int Unit, long UnitOffset, long Target, long Length);

    private readonly record struct Local(int Rank, long Offset, long Target, long Length);

    private readonly record struct Source(int Rank, int Unit, long UnitOffset, long ParameterOffset, long Length);

    private sealed record Parameter(TableParameter Table, List<Source>[] Sources);
}
