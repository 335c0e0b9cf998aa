namespace Opt.Trainer.Stores;

/// <summary>What kind of trouble a store has; decides whether a retry can help.</summary>
public enum StoreFault
{
    /// <summary>Time-outs, resets, 5xx, throttling: a retry may help.</summary>
    Transient,

    /// <summary>The object, container or folder does not exist.</summary>
    NotFound,

    /// <summary>Credentials or permissions.</summary>
    Denied,

    /// <summary>No space, or a quota.</summary>
    Full,

    /// <summary>The file system is read-only.</summary>
    ReadOnly,

    /// <summary>The bytes are not those that were written.</summary>
    Damaged,

    /// <summary>Anything else a retry will not cure.</summary>
    Permanent,
}

/// <summary>The store could not do what was asked. The message names the store, the object and what to do about it.</summary>
public sealed class StoreException(StoreFault fault, string message, Exception? inner = null) : Exception(message, inner)
{
    public StoreFault Fault { get; } = fault;

    /// <summary>How long the service asked to wait before the next try.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
