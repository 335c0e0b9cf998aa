using Opt.Api;
using Opt.Trainer.Checkpoints.Safetensors;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// How a rank's buffers lie in its object: one safetensors tensor "UNIT/SLOT" for each buffer, in the order handed over. Fixed for the life
/// of a session.
/// </summary>
internal sealed class ShardFormat
{
    public ShardFormat(ShardLayout layout, IReadOnlyList<StateBuffer> buffers)
    {
        Check(layout, buffers);
        (Header, HeaderBytes) = SafetensorsHeader.Create(buffers.Select(b => (NameOf(b), SafetensorsDtype.F32, (EquatableList<long>)[(long)b.Length])), new Dictionary<string, string>
        {
            ["format"] = "opt-checkpoint-shard",
            ["rank"] = FormattableString.Invariant($"{layout.Rank}"),
            ["world_size"] = FormattableString.Invariant($"{layout.WorldSize}"),
        });
        Slots = [.. buffers.Select(b => b.Slot).Distinct().OrderBy(SlotOrder).ThenBy(s => s, StringComparer.Ordinal)];
        Shard = new() { TensorParallelRank = layout.TensorParallelRank, Units = Units(buffers), Slices = [.. layout.Slices] };
    }

    public SafetensorsHeader Header { get; }
    public byte[] HeaderBytes { get; }
    public EquatableList<string> Slots { get; }
    public RankShard Shard { get; }

    /// <summary>Bytes of the data section before buffer <paramref name="index"/>.</summary>
    public long DataOffset(int index) => Header.Tensors[index].Begin;

    private static string NameOf(StateBuffer buffer) => $"{buffer.Unit}/{buffer.Slot}";

    private static int SlotOrder(string slot) => slot == StateBuffer.Master ? 0 : 1;

    private EquatableList<UnitBuffers> Units(IReadOnlyList<StateBuffer> buffers)
    {
        var offsets = Header.Tensors.ToDictionary(t => t.Name, t => Header.DataStart + t.Begin);
        return [.. buffers.GroupBy(b => b.Unit).Select(unit => new UnitBuffers(unit.Key, unit.First().Length, [.. Slots.Select(slot => offsets.GetValueOrDefault($"{unit.Key}/{slot}", -1))]))];
    }

    private static void Check(ShardLayout layout, IReadOnlyList<StateBuffer> buffers)
    {
        foreach (var unit in buffers.GroupBy(b => b.Unit))
        {
            if (unit.Select(b => b.Length).Distinct().Count() > 1) throw new ArgumentException($"buffers of unit {unit.Key} differ in length");
            if (unit.Select(b => b.Slot).Distinct().Count() != unit.Count()) throw new ArgumentException($"unit {unit.Key} has a slot twice");
        }

        var lengths = buffers.Where(b => b.Slot == StateBuffer.Master).ToDictionary(b => b.Unit, b => b.Length);
        foreach (var slice in layout.Slices)
        {
            if (!lengths.TryGetValue(slice.Unit, out var length)) throw new ArgumentException($"slice of {slice.Parameter} is in unit {slice.Unit}, which has no \"{StateBuffer.Master}\" buffer");
            if (slice.UnitOffset < 0 || slice.Length < 0 || slice.UnitOffset + slice.Length > length) throw new ArgumentException($"slice of {slice.Parameter} lies outside unit {slice.Unit}");
        }
    }
}

/// <summary>One rank's part of the slice table, as it is handed to rank 0.</summary>
public sealed record RankShard
{
    public required int TensorParallelRank { get; init; }
    public required EquatableList<UnitBuffers> Units { get; init; }
    public required EquatableList<ParameterSlice> Slices { get; init; }
}
