namespace Opt.LocalCluster.ApiServer.Storage;

/// <summary>Bounds of the object store.</summary>
public sealed record StoreOptions
{
    /// <summary>History kept for watches to resume from, per resource, in bytes of object text. Default 32 MiB.</summary>
    public long HistoryBytesPerResource { get; init; } = 32L << 20;
}
