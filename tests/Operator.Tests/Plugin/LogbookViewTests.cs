using System.Globalization;
using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.KubectlOpt.Views;
using Xunit;

namespace Opt.Operator.Tests.Plugin;

public sealed class LogbookViewTests
{
    private static readonly DateTimeOffset Begin = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Entries_of_pages_and_status_are_told_once_in_order_and_with_the_outcome_that_is_known_by_now()
    {
        var (first, second, third) = (Entry(1), Entry(2), Entry(3));
        var book = Logbook.Of(Job(second with { Outcome = "trained on" }, third), [Page(2, "mine", second), Page(1, "mine", first, first with { Outcome = "helped" }), Page(1, "another job's", Entry(0))]);

        Assert.Equal([("launched epoch 1 on a", "helped"), ("launched epoch 2 on a", "trained on"), ("launched epoch 3 on a", null)], book.Entries.Select(e => (e.Text("what"), e.Text("outcome"))));
        Assert.Empty(book.Missing);
    }

    [Fact]
    public void A_line_that_somebody_broke_hides_no_other()
    {
        var page = Page(1, "mine", Entry(1), Entry(2));
        page["data"]![LogbookPages.Key] = "{\"what\": \n" + page.Text("data", LogbookPages.Key);
        Assert.Equal(2, Logbook.Of(Job(), [page]).Entries.Count);
    }

    [Theory]
    [InlineData(1, true, "")]
    [InlineData(7, true, "\nOlder entries are in the checkpoint store alone: kubectl exec -n ml opt-0 -- opt-trainer logbook\n")]
    [InlineData(7, false, "\nOlder entries are in ConfigMaps, which you may not list in ml (the role \"view\" may), and in the checkpoint store: kubectl exec -n ml opt-0 -- opt-trainer logbook\n")]
    public void A_logbook_that_does_not_begin_with_the_run_says_where_the_rest_is(int epoch, bool isAllowed, string said) =>
        Assert.Equal(said, Logbook.Of(Job(Entry(epoch)), isAllowed ? [] : null).Missing);

    private static LogbookEntry Entry(int epoch) => new() { Time = Begin.AddMinutes(epoch), Epoch = epoch, Step = 0, Actor = "operator", What = $"launched epoch {epoch} on a", Why = "first launch" };

    private static JsonObject Job(params LogbookEntry[] entries) => new()
    {
        ["metadata"] = new JsonObject { ["name"] = "opt", ["namespace"] = "ml", ["uid"] = "mine" },
        ["status"] = new JsonObject { ["logbook"] = new JsonArray([.. entries.Select(e => JsonNode.Parse(LogbookPages.Line(e)))]) },
    };

    private static JsonObject Page(int number, string owner, params LogbookEntry[] entries) => new()
    {
        ["metadata"] = new JsonObject { ["labels"] = new JsonObject { [LogbookPages.Label] = number.ToString(CultureInfo.InvariantCulture) }, ["ownerReferences"] = new JsonArray(new JsonObject { ["uid"] = owner }) },
        ["data"] = new JsonObject { [LogbookPages.Key] = string.Concat(entries.Select(LogbookPages.Line)) },
    };
}
