using System.Text.Json.Nodes;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.Disruption;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Tests.Controllers;

public sealed class DisruptionDecisionTests
{
    [Theory]
    [InlineData("""{"maxUnavailable":0}""", 2, 2, 0, 2)]
    [InlineData("""{"maxUnavailable":1}""", 3, 3, 1, 2)]
    [InlineData("""{"maxUnavailable":1}""", 3, 2, 0, 2)]
    [InlineData("""{"maxUnavailable":"50%"}""", 3, 3, 2, 1)]
    [InlineData("""{"minAvailable":2}""", 3, 3, 1, 2)]
    [InlineData("""{"minAvailable":"100%"}""", 3, 3, 0, 3)]
    public void Allowed_disruptions_are_what_is_healthy_beyond_what_is_wanted(string spec, int pods, int ready, int allowed, int desired)
    {
        var budget = Make.Json($$$"""{"metadata":{"name":"b","namespace":"t","generation":1},"spec":{{{spec}}},"status":{}}""");
        var all = Enumerable.Range(0, pods).Select(i => Make.Pod($"p{i}").Running(ready: i < ready)).ToList();

        var status = Assert.IsType<Act.Replace>(DisruptionDecision.Decide(budget, all, pods, Make.Now).Acts.Single()).Body["status"];

        Assert.Equal((allowed, desired, pods, ready), ((int)status.Number("disruptionsAllowed")!, (int)status.Number("desiredHealthy")!, (int)status.Number("expectedPods")!, (int)status.Number("currentHealthy")!));
    }

    [Fact]
    public void A_status_that_is_right_is_not_written_again()
    {
        var budget = Make.Json("""{"metadata":{"name":"b","namespace":"t","generation":1},"spec":{"maxUnavailable":1},"status":{}}""");
        List<JsonObject> pods = [Make.Pod("p").Running()];
        budget = ((Act.Replace)DisruptionDecision.Decide(budget, pods, 1, Make.Now).Acts.Single()).Body;

        Assert.Empty(DisruptionDecision.Decide(budget, pods, 1, Make.Now.AddHours(1)).Acts);
    }
}
