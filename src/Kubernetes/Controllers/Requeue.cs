namespace Opt.Kubernetes;

/// <summary>
/// When a reconciled key comes back if nothing changes before. "At once" cannot be said: what is left to do now belongs in this pass.
/// </summary>
public readonly record struct Requeue
{
    private Requeue(TimeSpan after) => After = after;

    public TimeSpan? After { get; }

    /// <summary>Only a change brings the key back.</summary>
    public static Requeue WhenChanged => default;

    public static Requeue In(TimeSpan delay) => delay > TimeSpan.Zero
        ? new(delay)
        : throw new ArgumentOutOfRangeException(nameof(delay), delay, "The delay must be above zero.");

    /// <summary>The sooner of two.</summary>
    public Requeue Or(Requeue other) => (After, other.After) switch
    {
        (null, _) => other,
        (_, null) => this,
        ({ } mine, { } theirs) => mine <= theirs ? this : other,
    };
}
