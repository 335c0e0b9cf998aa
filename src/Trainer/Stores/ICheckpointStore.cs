namespace Opt.Trainer.Stores;

/// <summary>
/// Named objects in a folder or a blob container. Names are relative, '/'-separated. Safe for concurrent use by many processes.
/// Every member throws <see cref="StoreException"/> when the store cannot do what was asked, after the store's own retries.
/// </summary>
public interface ICheckpointStore : IAsyncDisposable
{
    /// <summary>Where this is, for messages: a path or a container URL, never a credential.</summary>
    string Description { get; }

    /// <summary>
    /// Creates an object durably unless one of that name exists: of any number of callers, in any process, exactly one gets true. After a
    /// fault the object may exist or not.
    /// </summary>
    Task<bool> TryCreateAsync(string name, ReadOnlyMemory<byte> content, CancellationToken ct);

    /// <summary>Writes an object durably, replacing one of that name; readers see the old bytes or the new ones, never a mixture.</summary>
    Task WriteAsync(string name, IObjectContent content, CancellationToken ct);

    /// <summary>A whole small object; null when there is none.</summary>
    /// <exception cref="StoreException">Also when it is longer than <paramref name="atMost"/> bytes.</exception>
    Task<byte[]?> TryReadAsync(string name, int atMost, CancellationToken ct);

    /// <summary>Fills <paramref name="destination"/> from byte <paramref name="offset"/> on.</summary>
    /// <exception cref="StoreException">NotFound; Damaged when the object ends before.</exception>
    Task ReadAsync(string name, long offset, Memory<byte> destination, CancellationToken ct);

    /// <summary>Objects whose names begin with <paramref name="prefix"/>, in no particular order.</summary>
    IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken ct);

    /// <summary>Deletes an object; done already when there is none.</summary>
    Task DeleteAsync(string name, CancellationToken ct);

    /// <summary>Removes what writers that died left half-written and nobody has touched for <paramref name="untouchedFor"/>. Such bytes are in no listing.</summary>
    Task DeleteAbandonedAsync(TimeSpan untouchedFor, CancellationToken ct);

    /// <summary>One cheap request that shows whether the store can be read.</summary>
    Task CheckAsync(CancellationToken ct);
}

/// <summary>An object as listed.</summary>
public readonly record struct StoredObject(string Name, long Bytes, DateTimeOffset ModifiedAt);

/// <summary>The bytes of an object to be written, readable at any place and more than once (parts go in parallel and may be retried).</summary>
public interface IObjectContent
{
    long Length { get; }

    /// <summary>Copies bytes [offset, offset + destination.Length). Safe for concurrent use.</summary>
    void Read(long offset, Span<byte> destination);
}
