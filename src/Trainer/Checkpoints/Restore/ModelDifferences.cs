using Opt.Api;

namespace Opt.Trainer.Checkpoints;

/// <summary>Which sizes of two models differ. Dropout may: it has no parameters.</summary>
internal static class ModelDifferences
{
    public static IReadOnlyList<string> Of(ModelDimensions saved, ModelDimensions wanted) =>
    [
        .. Fields(saved).Zip(Fields(wanted)).Where(pair => pair.First.Value != pair.Second.Value)
            .Select(pair => FormattableString.Invariant($"{pair.First.Name} is {pair.First.Value} there and {pair.Second.Value} here")),
    ];

    private static IEnumerable<(string Name, long Value)> Fields(ModelDimensions model) =>
    [
        ("layers", model.Layers), ("hiddenSize", model.HiddenSize), ("heads", model.Heads), ("ffnSize", model.FfnSize), ("vocabSize", model.VocabSize),
        ("maxPositions", model.MaxPositions), ("embeddingSize", model.EmbeddingSize), ("preNorm", model.PreNorm ? 1 : 0),
    ];
}
