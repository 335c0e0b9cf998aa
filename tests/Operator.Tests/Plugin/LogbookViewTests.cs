using System.Text.Json.Nodes;
using Opt.KubectlOpt.Views;
using Xunit;

namespace Opt.Operator.Tests.Plugin;

public sealed class LogbookViewTests
{
    [Theory]
    [InlineData(19, "")]
    [InlineData(20, "\nThe status keeps the newest 20, the checkpoint store all: kubectl exec -n ml opt-0 -- opt-trainer logbook\n")]
    public void A_logbook_that_fills_the_status_says_which_command_shows_all_of_it(int entries, string said)
    {
        var book = new JsonArray([.. Enumerable.Range(0, entries).Select(i => (JsonNode)new JsonObject { ["what"] = $"launched epoch {i}" })]);
        Assert.Equal(said, JobViews.Older(new() { ["metadata"] = new JsonObject { ["name"] = "opt", ["namespace"] = "ml" }, ["status"] = new JsonObject { ["logbook"] = book } }));
    }
}
