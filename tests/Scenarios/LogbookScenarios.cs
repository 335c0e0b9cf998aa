using System.Globalization;
using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster.ApiServer;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>The whole logbook beside the job, in ConfigMaps that it owns.</summary>
public sealed class LogbookScenarios
{
    private static readonly string Manifest = LifecycleScenarios.Manifest.Replace("totalTokens: 3840", "totalTokens: 64000", StringComparison.Ordinal);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public Task Entries_beyond_those_of_the_status_are_all_there_in_order_and_none_twice_though_operators_died() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(Manifest);
        await world.UntilAsync(s => s.Step >= 5);
        for (var i = 1; i <= 24; i++)
        {
            await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["training"] = new JsonObject { ["gradientClip"] = i + 1 } } });
            if (i % 8 == 0)
            {
                world.Link.DieAfterWrites = i / 8;   // between two of the writes that follow
                await world.AdvanceAsync(TimeSpan.FromSeconds(2));
                await world.KillOperatorAsync();
                world.Link.DieAfterWrites = null;
                world.Link.Mend();
                world.StartOperator();
            }

            await world.AdvanceAsync(TimeSpan.FromSeconds(1));
        }

        await world.AdvanceAsync(TimeSpan.FromSeconds(20));
        var (entries, status) = (Entries(await PagesAsync(world)), await world.StatusAsync());
        var edits = entries.Select(e => e.What).Where(w => w.StartsWith("edited the spec: gradient clip ", StringComparison.Ordinal)).ToArray();
        Assert.Equal(Enumerable.Range(2, 24), edits.Select(e => int.Parse(e.Split(' ')[^1], CultureInfo.InvariantCulture)));
        Assert.Single(entries, e => e.What.StartsWith("launched epoch 1 ", StringComparison.Ordinal));
        Assert.Equal(20, status.Logbook.Count);
        Assert.All(status.Logbook, e => Assert.Contains(e, entries));
        Assert.Equal(entries.Count, entries.Select(e => e.Identity()).Distinct().Count());
    });

    [Fact]
    public Task The_pages_belong_to_their_job_and_a_strangers_ConfigMap_of_that_name_is_left_alone() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.Api.CreateAsync(new("", "v1", "configmaps"), "ml", new JsonObject { ["metadata"] = new JsonObject { ["name"] = "opt-logbook-1" }, ["data"] = new JsonObject { ["theirs"] = "x" } }, Scenario.User, Cancelled);
        await world.CreateJobAsync(Manifest);
        await world.UntilAsync(s => s.Step >= 5);
        await world.AdvanceAsync(TimeSpan.FromSeconds(20));

        var page = Assert.Single(await PagesAsync(world));
        Assert.Equal("opt-logbook-2", (string?)page["metadata"]!["name"]);
        Assert.Contains(Entries([page]), e => e.What.StartsWith("launched epoch 1 ", StringComparison.Ordinal));
        await world.Api.DeleteAsync(Scenario.Jobs, "ml", "opt", null, Scenario.User, Cancelled);
        await world.AdvanceAsync(TimeSpan.FromSeconds(30));
        Assert.Empty(await PagesAsync(world));
        var theirs = await world.Api.GetAsync(new("", "v1", "configmaps"), "ml", "opt-logbook-1", Cancelled);
        Assert.Equal("x", (string?)theirs["data"]!["theirs"]);
    });

    [Fact]
    public Task What_trainers_enter_and_what_an_adopted_store_tells_of_the_time_before_is_there_too() => Scenario.RunAsync(nodes: 2, async world =>
    {
        var entry = new LogbookEntry { Time = world.Clock.GetUtcNow(), Epoch = 1, Step = 0, Actor = "trainer", What = "passed over the checkpoint of step 4", Why = "a chunk was damaged" };
        world.Agents.Logbook[entry.Identity()] = entry;   // as it restores, before the first step
        await world.CreateJobAsync(Manifest);
        await world.UntilAsync(s => s.Step >= 5);
        await world.AdvanceAsync(TimeSpan.FromSeconds(20));
        Assert.Contains(entry, Entries(await PagesAsync(world)));

        await world.Api.DeleteAsync(Scenario.Jobs, "ml", "opt", null, Scenario.User, Cancelled);
        await world.AdvanceAsync(TimeSpan.FromSeconds(30));
        await world.CreateJobAsync(Manifest.Replace("checkpoint: {store", "checkpoint: {adopt: true, store", StringComparison.Ordinal));
        var status = await world.UntilAsync(s => s is { Phase: JobPhase.Running, Epoch: > 1 }, seconds: 120);
        await world.AdvanceAsync(TimeSpan.FromSeconds(20));
        var entries = Entries(await PagesAsync(world));
        Assert.Contains(entry, entries);
        Assert.All(new[] { 1, status.Epoch }, epoch => Assert.Single(entries, e => e.What.StartsWith($"launched epoch {epoch} ", StringComparison.Ordinal)));
    });

    [Fact]
    public Task A_launch_tells_what_it_follows_and_what_it_changed_when_its_plan_is_long_gone() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(Manifest);
        await world.UntilAsync(s => s.Step >= 12);
        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["training"] = new JsonObject { ["microBatchSequences"] = 2 } } });
        await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 90);

        var launch = Assert.Single((await world.StatusAsync()).Logbook, e => e.What.StartsWith("launched epoch 2 ", StringComparison.Ordinal));
        Assert.Matches(@"; after epoch 1, which came to step \d+; changed: .*microBatchSequences", launch.Why);
    });

    private static async Task<IReadOnlyList<JsonObject>> PagesAsync(Scenario world) => [.. (await world.ListAsync(new("", "v1", "configmaps")))
        .Where(m => m["metadata"]!["labels"]?[LogbookPages.Label] is not null).OrderBy(m => int.Parse((string)m["metadata"]!["labels"]![LogbookPages.Label]!, CultureInfo.InvariantCulture))];

    /// <summary>What a reader makes of them: of the same event the last telling.</summary>
    private static IReadOnlyList<LogbookEntry> Entries(IReadOnlyList<JsonObject> pages) =>
        [.. pages.SelectMany(p => LogbookPages.Read((string)p["data"]![LogbookPages.Key]!)).GroupBy(e => e.Identity()).Select(g => g.Last()).OrderBy(e => e.Time)];
}
