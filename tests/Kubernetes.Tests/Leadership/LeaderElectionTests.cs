using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class LeaderElectionTests
{
    private static readonly LeaderElectionOptions Me = new() { Lease = new("n", "lock"), Identity = "me" };
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Without_a_lease_it_is_created() => Assert.Equal(Candidacy.Create, Decide(null, 0));

    [Theory]
    [InlineData(null, 0, nameof(Candidacy.Take))]
    [InlineData("", 0, nameof(Candidacy.Take))]
    [InlineData("me", 0, nameof(Candidacy.Renew))]
    [InlineData("me", 100, nameof(Candidacy.Renew))]
    [InlineData("other", 0, nameof(Candidacy.Wait))]
    [InlineData("other", 15, nameof(Candidacy.Wait))]
    [InlineData("other", 15.1, nameof(Candidacy.Take))]
    public void Who_holds_it_and_how_long_it_has_not_changed_decide(string? holder, double unchangedSeconds, string expected) =>
        Assert.Equal(expected, Decide(Held(holder), unchangedSeconds).ToString());

    [Fact]
    public void A_holder_that_announced_a_longer_time_is_given_it() =>
        Assert.Equal(Candidacy.Wait, Decide(Held("other") with { Spec = new() { HolderIdentity = "other", LeaseDurationSeconds = 60 } }, 59));

    [Fact]
    public void Times_written_in_the_lease_are_not_believed()
    {
        var ancient = Held("other") with { Spec = new() { HolderIdentity = "other", RenewTime = Now.AddYears(-5) } };
        Assert.Equal(Candidacy.Wait, Decide(ancient, 1));
    }

    [Fact]
    public void Taking_over_counts_a_transition_and_renewing_does_not()
    {
        var held = Held("other") with { Spec = new() { HolderIdentity = "other", LeaseTransitions = 4, AcquireTime = Now.AddHours(-1) } };
        var taken = LeaderElection.Next(new(held, TimeSpan.Zero), Candidacy.Take, Me, Now);
        var renewed = LeaderElection.Next(new(taken, TimeSpan.Zero), Candidacy.Renew, Me, Now.AddSeconds(2));

        Assert.Equal(("me", 5, Now, Now), (taken.Spec!.HolderIdentity, taken.Spec.LeaseTransitions, taken.Spec.AcquireTime, taken.Spec.RenewTime));
        Assert.Equal((5, Now, Now.AddSeconds(2)), (renewed.Spec!.LeaseTransitions, renewed.Spec.AcquireTime, renewed.Spec.RenewTime));
        Assert.Equal("7", renewed.Metadata.ResourceVersion);   // or it would overwrite whatever is there
    }

    [Theory]
    [InlineData(15, 15, 2, "RenewDeadline")]
    [InlineData(15, 10, 6, "RetryPeriod")]
    [InlineData(0.5, 0.2, 0.1, "LeaseDuration")]
    public void Times_that_leave_no_margin_are_refused_by_name(double lease, double renew, double retry, string field)
    {
        var options = Me with { LeaseDuration = TimeSpan.FromSeconds(lease), RenewDeadline = TimeSpan.FromSeconds(renew), RetryPeriod = TimeSpan.FromSeconds(retry) };
        Assert.StartsWith(field, Assert.Throws<ArgumentException>(options.Validate).Message, StringComparison.Ordinal);
    }

    private static Candidacy Decide(V1Lease? lease, double unchangedSeconds) => LeaderElection.Decide(new(lease, TimeSpan.FromSeconds(unchangedSeconds)), Me);

    private static V1Lease Held(string? holder) => new() { Metadata = new() { Name = "lock", Namespace = "n", ResourceVersion = "7" }, Spec = new() { HolderIdentity = holder } };
}
