namespace Opt.Kubernetes;

/// <summary>How a controller works.</summary>
public sealed record ControllerOptions
{
    /// <summary>Names the controller in logs and metrics.</summary>
    public required string Name { get; init; }

    /// <summary>Objects worked on at the same time.</summary>
    public int Workers { get; init; } = 2;

    /// <summary>For one attempt; then it is cancelled and repeated like any failure.</summary>
    public TimeSpan AttemptTimeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>When a terminal failure is tried again although nothing changed.</summary>
    public TimeSpan TerminalRetry { get; init; } = TimeSpan.FromMinutes(10);

    public WorkQueueOptions Queue { get; init; } = new();

    public Func<Exception, Failure> Classify { get; init; } = Failures.Classify;
}
