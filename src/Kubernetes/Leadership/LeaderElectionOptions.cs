namespace Opt.Kubernetes;

/// <summary>Who stands for election, for which lease, and how patient everybody is. The defaults are client-go's.</summary>
public sealed record LeaderElectionOptions
{
    public required ObjectKey Lease { get; init; }

    /// <summary>Unique among all candidates and over restarts, such as pod name plus a random part.</summary>
    public required string Identity { get; init; }

    /// <summary>A leader that did not renew for so long, by each candidate's own watch, may be replaced.</summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>A leader that could not renew for so long stops leading. Must be below <see cref="LeaseDuration"/>: the gap is the safety margin.</summary>
    public TimeSpan RenewDeadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Between attempts to renew or to acquire.</summary>
    public TimeSpan RetryPeriod { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Jitter in [0, 1).</summary>
    public Func<double> Random { get; init; } = System.Random.Shared.NextDouble;

    /// <exception cref="ArgumentException">The times do not keep their order.</exception>
    public LeaderElectionOptions Validate()
    {
        if (Lease.Namespace is null) throw new ArgumentException($"Lease is {Lease}; it needs a namespace.", nameof(Lease));
        if (Identity.Length == 0) throw new ArgumentException("Identity is empty; it must be unique among the candidates.", nameof(Identity));
        if (LeaseDuration < TimeSpan.FromSeconds(1)) throw new ArgumentException($"LeaseDuration is {LeaseDuration}; allowed: one second or more.", nameof(LeaseDuration));
        if (RenewDeadline >= LeaseDuration) throw new ArgumentException($"RenewDeadline is {RenewDeadline}; it must be below LeaseDuration, {LeaseDuration}.", nameof(RenewDeadline));
        if (RetryPeriod <= TimeSpan.Zero || RetryPeriod * 2 > RenewDeadline) throw new ArgumentException($"RetryPeriod is {RetryPeriod}; allowed: above zero and at most half of RenewDeadline, {RenewDeadline}.", nameof(RetryPeriod));
        return this;
    }
}
