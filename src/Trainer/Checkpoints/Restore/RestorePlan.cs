using Opt.Api;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Which bytes of which objects fill one rank's buffers, for any world size and tensor-parallel size on either side. Pure. The slice
/// tables of both sides are cut against each other parameter by parameter, so no rank ever sees more than its own share (and the
/// chunks at its edges).
/// </summary>
internal sealed class RestorePlan
{
    private RestorePlan(IReadOnlyList<CopyRun> runs, IReadOnlyList<(int Buffer, long Offset, long Length)> zeros, IReadOnlyList<string> missingSlots)
    {
        Runs = runs;
        Zeros = zeros;
        MissingSlots = missingSlots;
    }

    /// <summary>By object, then by source byte.</summary>
    public IReadOnlyList<CopyRun> Runs { get; }

    /// <summary>Padding of the target.</summary>
    public IReadOnlyList<(int Buffer, long Offset, long Length)> Zeros { get; }

    /// <summary>Slots of the target that the checkpoint lacks.</summary>
    public IReadOnlyList<string> MissingSlots { get; }

    /// <exception cref="CheckpointException">A parameter is missing, incomplete or of another shape.</exception>
    public static RestorePlan Build(Manifest manifest, SliceTable table, ShardLayout target, IReadOnlyList<StateBuffer> buffers)
    {
        var missing = buffers.Select(b => b.Slot).Distinct().Except(manifest.Slots).ToArray();
        if (missing.Contains(StateBuffer.Master)) throw new CheckpointException($"the checkpoint has no \"{StateBuffer.Master}\" weights");
        var byUnit = buffers.Select((buffer, index) => (buffer, index)).Where(b => !missing.Contains(b.buffer.Slot)).ToLookup(b => b.buffer.Unit);
        var slots = manifest.Slots.Select((slot, number) => (slot, number)).ToDictionary(s => s.slot, s => s.number);
        var sources = new SourceIndex(table, manifest.TensorParallelSize);
        var runs = new List<CopyRun>();
        foreach (var slice in target.Slices)
        {
            foreach (var piece in sources.Find(slice, target.TensorParallelRank, target.TensorParallelSize))
            {
                var unit = table.Ranks[piece.Rank].Units[piece.Unit];
                foreach (var (buffer, index) in byUnit[slice.Unit])
                {
                    var offset = unit.Offsets[slots[buffer.Slot]];
                    if (offset < 0) throw new CheckpointException($"the checkpoint has no \"{buffer.Slot}\" of {slice.Parameter}");
                    runs.Add(new(piece.Rank, offset + piece.UnitOffset * sizeof(float), index, piece.Target, piece.Length));
                }
            }
        }

        runs.Sort((a, b) => a.Object != b.Object ? a.Object.CompareTo(b.Object) : a.SourceByte.CompareTo(b.SourceByte));
        return new(runs, [.. byUnit.SelectMany(unit => Padding(target, unit.Key, [.. unit]))], missing);
    }

    /// <summary>Elements of a unit no slice covers, for each of its buffers.</summary>
    private static IEnumerable<(int Buffer, long Offset, long Length)> Padding(ShardLayout target, string unit, (StateBuffer Buffer, int Index)[] buffers)
    {
        long end = 0;
        var gaps = new List<(long Offset, long Length)>();
        foreach (var slice in target.Slices.Where(s => s.Unit == unit).OrderBy(s => s.UnitOffset))
        {
            if (slice.UnitOffset > end) gaps.Add((end, slice.UnitOffset - end));
            end = Math.Max(end, slice.UnitOffset + slice.Length);
        }

        if (end < buffers[0].Buffer.Length) gaps.Add((end, buffers[0].Buffer.Length - end));
        return buffers.SelectMany(b => gaps.Select(gap => (b.Index, gap.Offset, gap.Length)));
    }
}
