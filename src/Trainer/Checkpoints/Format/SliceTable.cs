using System.IO.Compression;
using System.Text.Json;
using Opt.Api;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Object <c>slices.json.gz</c>: which elements of which parameter lie where in which rank's object. Independent of FSDP units; numbers
/// instead of names keep the table of a thousand ranks near a megabyte.
/// </summary>
public sealed record SliceTable
{
    public const string FileName = "slices.json.gz";

    /// <summary>Longest table that is read, compressed.</summary>
    public const int MaxBytes = 256 << 20;

    private const long MaxInflated = 2L << 30;

    public required EquatableList<TableParameter> Parameters { get; init; }

    /// <summary>In rank order.</summary>
    public required EquatableList<RankSlices> Ranks { get; init; }

    public byte[] Compress()
    {
        using var buffer = new MemoryStream();
        using (var gzip = new GZipStream(buffer, CompressionLevel.Fastest)) JsonSerializer.Serialize(gzip, this, CheckpointJson.Default.SliceTable);
        return buffer.ToArray();
    }

    /// <exception cref="FormatException">Not a slice table.</exception>
    public static SliceTable Decompress(byte[] bytes)
    {
        try
        {
            using var gzip = new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress);
            using var bounded = new BoundedStream(gzip, MaxInflated);
            var table = JsonSerializer.Deserialize(bounded, CheckpointJson.Default.SliceTable) ?? throw new FormatException("slice table is null");
            return table.IsConsistent() ? table : throw new FormatException("slice table refers to parameters or units it does not have");
        }
        catch (Exception e) when (e is JsonException or InvalidDataException)
        {
            throw new FormatException($"slice table is damaged: {e.Message}", e);
        }
    }

    /// <summary>The table of all ranks.</summary>
    /// <exception cref="CheckpointException">Two ranks disagree on a parameter's shape.</exception>
    public static SliceTable Build(IReadOnlyList<RankShard> ranks)
    {
        var parameters = new List<TableParameter>();
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        var table = ranks.Select(rank => new RankSlices
        {
            TensorParallelRank = rank.TensorParallelRank,
            Units = rank.Units,
            Slices = [.. rank.Slices.Select(s => Row(s, Number(s), rank))],
        }).ToArray();
        return new() { Parameters = [.. parameters], Ranks = [.. table] };

        int Number(ParameterSlice slice)
        {
            var parameter = new TableParameter(slice.Parameter, slice.Shape, slice.TensorParallelDim);
            if (!numbers.TryGetValue(slice.Parameter, out var number))
            {
                numbers.Add(slice.Parameter, number = parameters.Count);
                parameters.Add(parameter);
            }

            return parameters[number] == parameter ? number : throw new CheckpointException($"ranks disagree on parameter {slice.Parameter}: {parameters[number]} and {parameter}");
        }
    }

    private static EquatableList<long> Row(ParameterSlice slice, int parameter, RankShard rank)
    {
        var unit = rank.Units.Select(u => u.Name).ToList().IndexOf(slice.Unit);
        return [parameter, unit, slice.UnitOffset, slice.ParameterOffset, slice.Length];
    }

    private bool IsConsistent() => Ranks.All(rank => rank.Slices.All(row =>
        row.Count == 5 && row.All(n => n >= 0) && row[0] < Parameters.Count && row[1] < rank.Units.Count && row[2] + row[4] <= rank.Units[(int)row[1]].Length));
}

/// <summary>A parameter by global shape.</summary>
public sealed record TableParameter(string Name, EquatableList<long> Shape, int? TensorParallelDim);

/// <summary>What one rank's object holds.</summary>
public sealed record RankSlices
{
    public required int TensorParallelRank { get; init; }
    public required EquatableList<UnitBuffers> Units { get; init; }

    /// <summary>Rows of [parameter, unit, offset in the unit, offset in the local parameter, length].</summary>
    public required EquatableList<EquatableList<long>> Slices { get; init; }
}

/// <summary>One FSDP unit's buffers in an object: one flat fp32 vector for each slot.</summary>
/// <param name="Length">Elements of each slot.</param>
/// <param name="Offsets">Byte offset in the object of each slot of <see cref="Manifest.Slots"/>; -1 where the unit lacks it.</param>
public sealed record UnitBuffers(string Name, long Length, EquatableList<long> Offsets);
