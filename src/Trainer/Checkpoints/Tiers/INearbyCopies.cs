using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Copies of committed objects nearer than the store. Whatever is read here is verified against the manifest like any other bytes, so a copy that is
/// stale, torn or damaged costs a second read and nothing else. Members never throw for a copy that is not to be had. Safe for concurrent use.
/// </summary>
internal interface INearbyCopies
{
    CheckpointTier Tier { get; }

    /// <summary>Keeps a copy; false when there is no room, nobody to keep it, or one of a newer epoch. Of other checkpoints' copies of this rank's object one stays.</summary>
    /// <param name="name">Of the object in the store.</param>
    /// <param name="beside">Folder of the checkpoint whose copy stays: the last committed one, since this one may never be. Null: the newest.</param>
    Task<bool> TryKeepAsync(string name, Stores.IObjectContent content, string? beside, CancellationToken ct);

    /// <summary>Fills <paramref name="destination"/> from byte <paramref name="offset"/> on; false when there is no such copy.</summary>
    Task<bool> TryReadAsync(string name, long offset, Memory<byte> destination, CancellationToken ct);
}
