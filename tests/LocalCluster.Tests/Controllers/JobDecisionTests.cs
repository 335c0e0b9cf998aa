using System.Text.Json.Nodes;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.Workloads;
using Opt.Testing;

namespace Opt.LocalCluster.Tests.Controllers;

public sealed class JobDecisionTests
{
    private static readonly DateTimeOffset Now = VirtualTime.Start + TimeSpan.FromHours(1);

    [Theory]
    [InlineData(0, null)]
    [InlineData(1, 10)]
    [InlineData(2, 20)]
    [InlineData(4, 80)]
    public void A_failed_pod_is_followed_by_another_after_a_delay_that_doubles(int failures, int? delay)
    {
        var decision = JobDecision.Decide(Job(), Failed(failures), Now);

        Assert.Equal(delay is null ? 1 : 0, decision.Acts.OfType<Act.Create>().Count());
        Assert.Equal(delay, (int?)decision.LookAgain?.TotalSeconds);
        if (delay is { } seconds) Assert.Single(JobDecision.Decide(Job(), Failed(failures), Now + TimeSpan.FromSeconds(seconds)).Acts.OfType<Act.Create>());
    }

    [Fact]
    public void Its_end_is_announced()
    {
        Assert.Contains(JobDecision.Decide(Job(), Failed(7), Now).Acts, a => a is Act.Announce { Said: { Type: "Warning", Reason: "BackoffLimitExceeded" } });
        Assert.Contains(JobDecision.Decide(Job(), [Pod("Succeeded")], Now).Acts, a => a is Act.Announce { Said: { Type: "Normal", Reason: "Completed", Message: "Job completed" } });
    }

    private static JsonObject[] Failed(int count) => [.. Enumerable.Range(0, count).Select(_ => Pod("Failed"))];

    private static JsonObject Pod(string phase) => Make.Json(
        $$$"""{"metadata":{"name":"j-x","namespace":"t"},"status":{"phase":"{{{phase}}}","containerStatuses":[{"state":{"terminated":{"finishedAt":"{{{Now:yyyy-MM-dd'T'HH:mm:ss'Z'}}}"} } }]} }""");

    private static JsonObject Job() => Make.Json("""{"metadata":{"name":"j","namespace":"t","uid":"u"},"spec":{"template":{"spec":{"containers":[]} } } }""");
}
