using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.KubectlOpt.Views;
using Xunit;

namespace Opt.Operator.Tests.Plugin;

/// <summary>Lineage and logbook as a terminal shows them.</summary>
public sealed class LineageViewTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    private static readonly JsonObject Job = new() { ["metadata"] = new JsonObject { ["name"] = "opt", ["namespace"] = "ml" }, ["status"] = new JsonObject { ["phase"] = "Running", ["step"] = 2000 } };

    [Fact]
    public void Each_launch_says_what_it_changed_and_how_its_epoch_ended()
    {
        var plans = Plans();

        var lines = PlanViews.Lineage(Job, plans, Now, width: null).Split('\n');
        Assert.Matches(@"^EPOCH +REVISION +FROM +RESUMED +NODES +AGE +ENDED +CAUSE +WHY$", lines[0]);
        Assert.Matches(@"^1 +0 +- +initial weights +2 +3h +NodeLost at step 1288 +Start +first launch$", lines[1]);
        Assert.Matches(@"^2 +0 +1 +step 1200 of epoch 1 +2 +60m +running at step 2000 +NodeLost +node node-1 is not ready; changed: node node-1 -> node-9$", lines[2]);
        var json = PlanViews.WithOutcome(Job, plans).ToArray();
        Assert.Equal(("NodeLost at step 1288", "node node-1 -> node-9"), ((string)json[0]["outcome"]!, (string)json[1]["changed"]![0]!));
    }

    [Theory]
    [InlineData(80)]
    [InlineData(100)]
    [InlineData(200)]
    public void On_a_terminal_no_line_is_longer_than_its_width(int width)
    {
        var entry = new JsonObject
        {
            ["time"] = "2026-11-21T11:50:00Z", ["epoch"] = 7, ["step"] = 1288, ["actor"] = "operator", ["what"] = "launched epoch 7 (run 1.0) from step 1200 on node-1, node-2, node-3, node-4 and 120 more",
            ["why"] = "NodeLost: node node-7 is not ready (NodeStatusUnknown: Kubelet stopped posting node status.) and the agent of opt-7 does not answer",
        };
        var book = JobViews.Logbook([entry], Now, width);
        var lineage = PlanViews.Lineage(Job, Plans(), Now, width);

        Assert.All((book + lineage).Split('\n'), line => Assert.True(line.Length <= width, $"{line.Length}: {line}"));
        var words = System.Text.RegularExpressions.Regex.Replace(book, @"\s+", " ");
        Assert.Contains($"{entry["what"]} {entry["why"]}", words, StringComparison.Ordinal);
        Assert.StartsWith("ID         AGE   EPOCH   STEP   BY         WHAT, AND WHY\n", book, StringComparison.Ordinal);
        Assert.Contains("node node-1 is not ready; changed: node node-1 -> node-9", System.Text.RegularExpressions.Regex.Replace(lineage, @"\s+", " "), StringComparison.Ordinal);
    }

    [Fact]
    public void A_word_longer_than_the_line_is_broken_and_not_lost()
    {
        var text = Table.Of(["A", "B"], [["1", new string('x', 90)]], 60);

        Assert.Equal(90, text.Count(c => c == 'x'));
        Assert.All(text.Split('\n'), line => Assert.True(line.Length <= 60));
    }

    private static JsonObject[] Plans()
    {
        var first = Agents.Plans.Make(1, new("opt-0", "uid-0", "10.0.0.1", 9440, "t")) with { CreatedAt = Now - TimeSpan.FromHours(3), Cause = new() { Id = "start", Reason = "Start", Message = "first launch" } };
        var member = first.Members[0];
        first = first with { Members = [member with { Node = "node-0" }, member with { Node = "node-1", PodUid = "uid-1" }], ParentEpoch = 0, Resume = null };
        var second = first with
        {
            Epoch = 2, ParentEpoch = 1, CreatedAt = Now - TimeSpan.FromHours(1), Cause = new() { Id = "node", Reason = "NodeLost", Message = "node node-1 is not ready", Node = "node-1" },
            Members = [first.Members[0], member with { Node = "node-9", PodUid = "uid-9" }], Resume = new() { Step = 1200, Attempt = 1200, Samples = 1, Tokens = 1, Epoch = 1, Entry = 3, Path = "p", ManifestDigest = "d", Bytes = 1, CommittedAt = Now },
        };
        return [Map(first, null), Map(second, "1288")];
    }

    private static JsonObject Map(RunPlan plan, string? parentStep)
    {
        var metadata = new JsonObject { ["name"] = "opt-plan", ["annotations"] = parentStep is null ? null : new JsonObject { [EpochOutcome.ParentStepAnnotation] = parentStep } };
        return PlanViews.Read(new() { ["metadata"] = metadata, ["data"] = new JsonObject { ["plan.json"] = JsonSerializer.Serialize(plan, ProtocolJson.Default.RunPlan) } })!;
    }
}
