using Opt.Api;
using Opt.Trainer.Checkpoints;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>
/// A model small enough to compare every element, sharded as the trainer does it: parameters of a unit are cut by tensor parallelism,
/// flattened, concatenated, padded and cut again into equal shards. Every element of every slot has a value of its own.
/// </summary>
internal static class TestModel
{
    public static readonly ModelDimensions Dimensions = new()
    {
        Layers = 2, HiddenSize = 6, Heads = 2, FfnSize = 8, VocabSize = 12, MaxPositions = 5, EmbeddingSize = 6, PreNorm = true, Dropout = 0, AttentionDropout = 0,
    };

    public static readonly string[] AdamSlots = [StateBuffer.Master, StateBuffer.FirstMoment, StateBuffer.SecondMoment];

    private static readonly Parameter[] Parameters =
    [
        new("root", "embed_tokens.weight", [12, 6], 0),
        new("root", "embed_positions.weight", [7, 6], null),
        new("root", "final_layer_norm.weight", [6], null),
        .. Enumerable.Range(0, 2).SelectMany(layer => new Parameter[]
        {
            new($"block.{layer}", $"layers.{layer}.fc1.weight", [8, 6], 0),
            new($"block.{layer}", $"layers.{layer}.fc1.bias", [8], 0),
            new($"block.{layer}", $"layers.{layer}.fc2.weight", [6, 8], 1),
            new($"block.{layer}", $"layers.{layer}.fc2.bias", [6], null),
        }),
    ];

    /// <summary>Value of a global element in a slot; a function of the step too, so that checkpoints differ.</summary>
    public static float Value(string slot, int parameter, long element, long step) =>
        Array.IndexOf(AdamSlots, slot) * 1_000_000 + parameter * 10_000 + element + step * 0.25f;

    /// <summary>All ranks of a world, filled with the values of a step (or with garbage).</summary>
    public static TestRank[] World(int dataParallel, int tensorParallel, long? step, string[]? slots = null) =>
        [.. Enumerable.Range(0, dataParallel * tensorParallel).Select(rank => Rank(rank, dataParallel, tensorParallel, step, slots ?? AdamSlots))];

    private static TestRank Rank(int rank, int dataParallel, int tensorParallel, long? step, string[] slots)
    {
        var (dp, tp) = (rank / tensorParallel, rank % tensorParallel);
        var slices = new List<ParameterSlice>();
        var buffers = new List<(string Unit, string Slot, float[] Values)>();
        foreach (var unit in Parameters.Select((p, i) => (p, i)).GroupBy(p => p.p.Unit))
        {
            var elements = unit.SelectMany(p => Enumerable.Range(0, (int)p.p.LocalElements(tensorParallel)).Select(local => (p.p, p.i, Local: (long)local))).ToArray();
            var chunk = (elements.Length + dataParallel - 1) / dataParallel;
            var mine = elements.Skip(dp * chunk).Take(chunk).ToArray();
            slices.AddRange(Slices(mine, tensorParallel));
            foreach (var slot in slots)
            {
                var values = new float[chunk];
                if (step is null) Array.Fill(values, float.NaN);
                else for (var i = 0; i < mine.Length; i++) values[i] = Value(slot, mine[i].i, mine[i].p.Global(mine[i].Local, tp, tensorParallel), step.Value);
                buffers.Add((unit.Key, slot, values));
            }
        }

        return new(new() { Rank = rank, WorldSize = dataParallel * tensorParallel, TensorParallelRank = tp, TensorParallelSize = tensorParallel, Slices = slices }, buffers);
    }

    private static IEnumerable<ParameterSlice> Slices((Parameter P, int Index, long Local)[] mine, int tensorParallel) =>
        mine.Select((e, offset) => (e, offset)).GroupBy(x => x.e.Index).Select(g => new ParameterSlice
        {
            Parameter = g.First().e.P.Name,
            Shape = [.. g.First().e.P.Shape],
            TensorParallelDim = g.First().e.P.Dim,
            Unit = g.First().e.P.Unit,
            UnitOffset = g.First().offset,
            ParameterOffset = g.First().e.Local,
            Length = g.Count(),
        });

    private sealed record Parameter(string Unit, string Name, long[] Shape, int? Dim)
    {
        public long LocalElements(int tensorParallel) => Shape.Aggregate(1L, (a, b) => a * b) / (Dim is null ? 1 : tensorParallel);

        /// <summary>Written out by coordinates, unlike the product's arithmetic.</summary>
        public long Global(long local, int rank, int tensorParallel)
        {
            if (Dim is null) return local;
            if (Shape.Length == 1) return rank * (Shape[0] / tensorParallel) + local;
            var columns = Dim == 1 ? Shape[1] / tensorParallel : Shape[1];
            var (row, column) = (local / columns, local % columns);
            if (Dim == 0) row += rank * (Shape[0] / tensorParallel);
            else column += rank * columns;
            return row * Shape[1] + column;
        }
    }
}

/// <summary>One rank's state.</summary>
internal sealed record TestRank(ShardLayout Layout, List<(string Unit, string Slot, float[] Values)> State)
{
    public IReadOnlyList<StateBuffer> Buffers { get; } =
    [
        .. State.Select(s => new StateBuffer
        {
            Unit = s.Unit,
            Slot = s.Slot,
            Length = s.Values.Length,
            Read = destination => s.Values.CopyTo(destination),
            Write = (offset, source) => source.CopyTo(s.Values.AsSpan((int)offset)),
        }),
    ];

    public bool HasSameStateAs(TestRank other) => State.Zip(other.State).All(pair => pair.First.Values.AsSpan().SequenceEqual(pair.Second.Values));
}
