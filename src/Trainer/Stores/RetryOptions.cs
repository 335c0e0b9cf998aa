namespace Opt.Trainer.Stores;

/// <summary>How requests to a store are repeated.</summary>
public sealed record RetryOptions
{
    /// <summary>Tries of one request, the first included. Default: 6.</summary>
    public int Attempts { get; init; } = 6;

    /// <summary>Mean pause before the second try; doubles from then on. Default: 250 ms.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Longest pause. Default: 15 s.</summary>
    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Deadline of one try. Default: 60 s.</summary>
    public TimeSpan AttemptTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>A transfer that moves no byte for this long is cut off and continued by another request. Default: 20 s.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Retries that may be outstanding above one for every five requests, so that a sick store is not buried. Default: 100.</summary>
    public int Budget { get; init; } = 100;
}
