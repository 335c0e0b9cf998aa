namespace Opt.Trainer.Parallel;

/// <summary>How a flat vector is cut into equal shards: ceiling division, the tail padded (torch.chunk; fairscale's _get_shard).</summary>
public static class Sharding
{
    /// <summary>Elements of every shard, padding included.</summary>
    public static long Chunk(long elements, int shards) => (elements + shards - 1) / shards;

    /// <summary>The elements one shard owns. Shards tile [0, elements); trailing ones may be empty.</summary>
    public static (long Offset, long Length) Slice(long elements, int shards, int shard)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(shards);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)shard, (uint)shards, nameof(shard));
        var chunk = Chunk(elements, shards);
        var offset = Math.Min(elements, chunk * shard);
        return (offset, Math.Min(chunk, elements - offset));
    }
}
