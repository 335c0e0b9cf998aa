namespace Opt.Kubernetes;

/// <summary>A lease as a candidate last saw it change.</summary>
/// <param name="UnchangedFor">By the candidate's own monotonic clock, since it first saw this version. Times written in the lease are never
/// compared with a clock: clocks of machines differ.</param>
internal readonly record struct LeaseView(V1Lease? Lease, TimeSpan UnchangedFor);

/// <summary>What a candidate does next.</summary>
internal enum Candidacy
{
    /// <summary>Somebody else holds the lease and may be alive.</summary>
    Wait,

    /// <summary>There is no lease object: create it.</summary>
    Create,

    /// <summary>Nobody holds it, or its holder has been silent for too long.</summary>
    Take,

    /// <summary>It is ours; say so again.</summary>
    Renew,
}

/// <summary>The rules of the election; pure.</summary>
internal static class LeaderElection
{
    public static Candidacy Decide(LeaseView view, LeaderElectionOptions options) => view.Lease switch
    {
        null => Candidacy.Create,
        { Spec.HolderIdentity: null or "" } or { Spec: null } => Candidacy.Take,
        { Spec.HolderIdentity: var holder } when holder == options.Identity => Candidacy.Renew,
        { Spec: var spec } when view.UnchangedFor > Patience(spec, options) => Candidacy.Take,
        _ => Candidacy.Wait,
    };

    /// <summary>The lease to write. Its resourceVersion makes the write fail if anybody else wrote in between.</summary>
    public static V1Lease Next(LeaseView view, Candidacy candidacy, LeaderElectionOptions options, DateTimeOffset now)
    {
        var old = view.Lease ?? new V1Lease { Metadata = new() { Name = options.Lease.Name, Namespace = options.Lease.Namespace } };
        var spec = old.Spec ?? new();
        return old with
        {
            Spec = spec with
            {
                HolderIdentity = options.Identity,
                LeaseDurationSeconds = (int)Math.Ceiling(options.LeaseDuration.TotalSeconds),
                RenewTime = now,
                AcquireTime = candidacy == Candidacy.Renew ? spec.AcquireTime ?? now : now,
                LeaseTransitions = candidacy == Candidacy.Take ? (spec.LeaseTransitions ?? 0) + 1 : spec.LeaseTransitions ?? 0,
            },
        };
    }

    /// <summary>The lease given back, so that the next leader need not wait.</summary>
    public static V1Lease Released(V1Lease held, DateTimeOffset now) => held with { Spec = held.Spec! with { HolderIdentity = "", LeaseDurationSeconds = 1, RenewTime = now } };

    // The holder may have been started with a longer duration than ours.
    private static TimeSpan Patience(V1LeaseSpec spec, LeaderElectionOptions options) =>
        TimeSpan.FromSeconds(Math.Max(options.LeaseDuration.TotalSeconds, spec.LeaseDurationSeconds ?? 0));
}
