using FsCheck;
using FsCheck.Fluent;
using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

public sealed class PartnersTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("a", "0")]
    [InlineData("- - - -", "2 3 0 1")]
    [InlineData("- - - - -", "2 3 4 0 1")]
    [InlineData("a b", "1 0")]
    [InlineData("a a b b", "2 3 0 1")]
    [InlineData("a b a b", "1 0 3 2")]   // half the members away lies in one's own zone
    [InlineData("a b c a b c", "4 5 3 2 0 1")]
    [InlineData("b a a -", "1 0 3 2")]
    [InlineData("a/x a/x a/y a/y", "2 3 0 1")]
    [InlineData("a/x a/y a/x a/y", "1 0 3 2")]
    [InlineData("a/x b/x a/y b/y", "1 0 3 2")]
    public void A_partner_lies_in_another_zone_else_in_another_rack_else_half_the_members_away(string domains, string partners) =>
        Assert.Equal(partners, string.Join(' ', Partners.Of([.. domains.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Member)])));

    [Fact]
    public void Every_member_keeps_the_copies_of_one_other_and_no_choice_of_partners_crosses_more_zones() => Prop.ForAll(Gen.ListOf(Gen.Choose(0, 4)).ToArbitrary(), zones =>
    {
        var members = zones.Select((zone, i) => Member($"zone-{zone}", i)).ToArray();
        var partners = Partners.Of(members);
        var largest = zones.CountBy(z => z).Select(g => g.Value).DefaultIfEmpty(0).Max();
        var most = Math.Min(members.Length, 2 * (members.Length - largest));   // whoever has none left elsewhere stays
        return partners.Order().SequenceEqual(Enumerable.Range(0, members.Length))
            && (members.Length < 2 || partners.Select((to, from) => to != from).All(other => other))
            && partners.Where((to, from) => members[to].Zone != members[from].Zone).Count() == most;
    }).QuickCheckThrowOnFailure();

    /// <param name="domain">ZONE, ZONE/RACK, or - for neither.</param>
    private static PlanMember Member(string domain, int index) => new()
    {
        Pod = $"opt-{index}", PodUid = $"{index}", PodIp = "127.0.0.1", AgentInstance = "i", Node = $"node-{index}", Zone = domain == "-" ? null : domain.Split('/')[0], Rack = domain.Contains('/', StringComparison.Ordinal) ? domain.Split('/')[1] : null,
    };
}
