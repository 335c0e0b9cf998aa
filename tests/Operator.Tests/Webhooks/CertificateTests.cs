using System.Security.Cryptography.X509Certificates;
using System.Text;
using Opt.Operator.Webhooks;
using Xunit;

namespace Opt.Operator.Tests.Webhooks;

/// <summary>The states of a webhook's certificates over the years, without a server.</summary>
public sealed class CertificateTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly CertificateOptions Options = new() { AuthorityLifetime = TimeSpan.FromDays(365), Lifetime = TimeSpan.FromDays(30), Overlap = TimeSpan.FromHours(1) };
    private static readonly string[] Names = ["opt-operator.opt-system.svc", "127.0.0.1"];

    [Fact]
    public void The_first_certificate_is_for_the_names_asked_for_and_signed_by_the_authority_published()
    {
        var made = ServingCertificates.Next(null, Names, Options, Start);
        using var leaf = made.Load();

        Assert.True(leaf.MatchesHostname("opt-operator.opt-system.svc", allowWildcards: false));
        Assert.True(leaf.MatchesHostname("127.0.0.1", allowWildcards: false));
        Assert.True(IsTrusted(made.Authorities, leaf, Start));
    }

    [Fact]
    public void Nothing_is_due_until_two_thirds_of_the_lifetime_are_over()
    {
        var made = ServingCertificates.Next(null, Names, Options, Start);

        Assert.Same(made, ServingCertificates.Next(made, Names, Options, Start.AddDays(19)));
        Assert.NotEqual(made.Certificate, ServingCertificates.Next(made, Names, Options, Start.AddDays(21)).Certificate);
    }

    [Fact]
    public void Other_names_get_another_certificate_of_the_same_authority()
    {
        var made = ServingCertificates.Next(null, Names, Options, Start);

        var renamed = ServingCertificates.Next(made, ["other.svc"], Options, Start.AddMinutes(1));

        Assert.Equal(made.Authorities, renamed.Authorities);
        using var leaf = renamed.Load();
        Assert.True(leaf.MatchesHostname("other.svc", allowWildcards: false));
    }

    [Fact]
    public void Over_many_lifetimes_every_served_certificate_is_trusted_by_what_was_published_an_hour_before()
    {
        var options = new CertificateOptions { AuthorityLifetime = TimeSpan.FromDays(20), Lifetime = TimeSpan.FromDays(3), Overlap = TimeSpan.FromHours(1) };
        var state = ServingCertificates.Next(null, Names, options, Start);
        var authorities = new HashSet<string>();
        for (var now = Start; now < Start.AddDays(100); now += TimeSpan.FromMinutes(61))
        {
            var next = ServingCertificates.Next(state, Names, options, now);
            if (!ReferenceEquals(next, state)) AssertServed(next, state.Authorities, now);
            AssertServed(next, next.Authorities, now);
            state = next;
            authorities.Add(state.Authorities);
        }

        Assert.InRange(authorities.Count, 5, 8);
    }

    [Fact]
    public void What_was_kept_is_read_back_and_what_is_damaged_is_made_anew()
    {
        var made = ServingCertificates.Next(null, Names, Options, Start);

        Assert.Equal(made, ServingCertificates.Read(made.ToData()));
        Assert.Null(ServingCertificates.Read(null));
        Assert.Null(ServingCertificates.Read(new Dictionary<string, byte[]>(made.ToData()) { ["tls.key"] = Encoding.UTF8.GetBytes("not PEM") }));
        Assert.DoesNotContain("PRIVATE", made.ToString(), StringComparison.Ordinal);
    }

    private static void AssertServed(ServingCertificates state, string published, DateTimeOffset now)
    {
        using var leaf = state.Load();
        Assert.True(leaf.NotAfter > now, $"expired at {now}");
        Assert.True(IsTrusted(published, leaf, now), $"not trusted at {now}");
    }

    private static bool IsTrusted(string authorities, X509Certificate2 leaf, DateTimeOffset now)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.ImportFromPem(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.VerificationTime = now.UtcDateTime;
        chain.ChainPolicy.VerificationTimeIgnored = false;
        return chain.Build(leaf);
    }
}
