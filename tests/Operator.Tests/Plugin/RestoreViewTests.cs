using System.Text.Json.Nodes;
using Opt.KubectlOpt.Views;
using Xunit;

namespace Opt.Operator.Tests.Plugin;

public sealed class RestoreViewTests
{
    [Fact]
    public void A_restore_is_shown_with_its_share_what_is_left_and_the_slowest_shards_and_only_while_it_lasts()
    {
        var job = new JsonObject { ["metadata"] = new JsonObject { ["name"] = "opt", ["namespace"] = "ml" }, ["status"] = new JsonObject { ["phase"] = "Recovering" } };
        Assert.DoesNotContain("Restoring", JobViews.Detail(job, DateTimeOffset.UnixEpoch), StringComparison.Ordinal);
        job["status"]!["restore"] = JsonNode.Parse("""{"step": 120, "workers": 8, "done": 3, "progress": 0.45, "secondsLeft": 75, "slowest": [{"rank": 5, "pod": "opt-2", "progress": 0.12}, {"rank": 1, "pod": "opt-0", "progress": 0.3}]}""");
        var line = JobViews.Detail(job, DateTimeOffset.UnixEpoch).Split('\n').Single(l => l.StartsWith("Restoring:", StringComparison.Ordinal));
        Assert.Contains("45.0%  step 120: 3 of 8 workers done, about 75s left; slowest: rank 5 on opt-2 12.0%, rank 1 on opt-0 30.0%", line, StringComparison.Ordinal);
    }
}
