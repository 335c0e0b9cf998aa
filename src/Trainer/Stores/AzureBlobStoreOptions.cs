namespace Opt.Trainer.Stores;

/// <summary>How large objects are cut.</summary>
public sealed record AzureBlobStoreOptions
{
    /// <summary>Size of one uploaded block; grows for objects that would need more than 10,000 of them. Default: 8 MiB.</summary>
    public int BlockBytes { get; init; } = 8 << 20;

    /// <summary>Requests of one upload or one read under way at once. Default: 4.</summary>
    public int Parallelism { get; init; } = 4;

    /// <summary>A part that is not read by then is asked for a second time, in parallel. Default: 10 s.</summary>
    public TimeSpan HedgeAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Limit of uploads; null for none.</summary>
    public Bandwidth? Upload { get; init; }
}
