using static Opt.Torch.torch;

namespace Opt.Trainer.Parallel;

/// <summary>A stretch of a rank's flat vectors that is updated as one.</summary>
/// <param name="Decays">Weight decay applies; false for parameters of one dimension where these are left out.</param>
internal readonly record struct ShardRun(long Offset, long Length, bool Decays)
{
    /// <summary>The elements of a flat vector; shares its memory.</summary>
    public Tensor Of(Tensor flat) => flat.narrow(0, Offset, Length);

    /// <summary>Neighbours of one kind as one run.</summary>
    public static IReadOnlyList<ShardRun> Merge(IEnumerable<ShardRun> runs)
    {
        List<ShardRun> merged = [];
        foreach (var run in runs)
        {
            if (merged.Count > 0 && merged[^1].Decays == run.Decays) merged[^1] = merged[^1] with { Length = merged[^1].Length + run.Length };
            else merged.Add(run);
        }

        return merged;
    }
}
