namespace Opt.Trainer.Tests.Stores;

/// <summary>What the proxy does to one request of a blob service.</summary>
internal enum HttpFault
{
    None,
    CutBefore,
    CutAfter,
    Forbidden,
    Conflict,
    PreconditionFailed,
    TooManyRequests,
    ServerError,
    Unavailable,

    /// <summary>The service carries it out; the answer says 500.</summary>
    ErrorAfter,
    Slow,
    Stalled,

    /// <summary>The connection breaks in the middle of the body.</summary>
    Truncated,

    /// <summary>A shorter body with a length to match.</summary>
    TruncatedCleanly,
    Corrupted,

    /// <summary>A byte flips before the MD5 of the answer is made.</summary>
    CorruptedBeforeHash,
    CorruptedUpload,
}
