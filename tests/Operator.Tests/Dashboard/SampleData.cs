using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Operator.Dashboard;
using Opt.Operator.Dashboard.Access;
using Opt.Operator.Dashboard.Curves;

namespace Opt.Operator.Tests.Dashboard;

/// <summary>OPT-175B near its end, as large as it gets: 143,000 steps on 124 nodes and 6 spares, spikes and interventions on the way.</summary>
internal sealed class SampleData : IDashboardData
{
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly long[] Spikes = [11_300, 23_456, 46_200, 61_000, 98_765, 120_400];
    private readonly RunRecord _record = new();

    /// <param name="entries">Of the logbook, with the six that the status holds.</param>
    public SampleData(int steps = 143_000, int entries = 300)
    {
        var random = new Random(175);
        for (var step = 1; step <= steps; step++) _record.Columns.Add(Record(step, random));
        _record.Note(Enumerable.Range(0, entries - Spikes.Length).Select(i => new LogbookEntry { Time = Start.AddHours(i), Epoch = 1 + i / 100, Step = 1 + i, Actor = "operator", What = $"kept watch {i}", Why = i == 7 ? "the oldest needle" : "nothing was wrong" }));
        _record.Note(Entries());
    }

    public IReadOnlyList<JobPage> Jobs() => [Page("research", "opt-175b"), Page("team-b", "opt-1.3b")];

    public JsonObject? Detail(string @namespace, string name) => Jobs().FirstOrDefault(j => (j.Namespace, j.Name) == (@namespace, name)) is { } page ? Everything(page) : null;

    public RunRecord Record(string uid) => uid == "uid-opt-175b" ? _record : new();

    /// <summary>The newest entries: what the status holds.</summary>
    private static IEnumerable<LogbookEntry> Entries() => Spikes.Select((s, i) => new LogbookEntry
    {
        Time = Start.AddSeconds(s * 17), Epoch = i + 2, Step = s, Actor = i == 3 ? "policy loss-spike" : "operator",
        What = i == 3 ? "rolled back to step 60900, learning rate x 0.66" : i == 4 ? "quarantined gpu-131" : $"launched epoch {i + 2}", Why = i == 4 ? "DeviceFailed: Xid 79 on gpu-131" : $"loss {4.4 + i / 10.0:0.0} is 1.9 above its trailing mean <script>alert(1)</script>",
    });

    public static StepRecord Record(long step, Random random)
    {
        var after = Spikes.Where(s => s <= step).DefaultIfEmpty(-1000).Max();
        var spike = Math.Exp(-(step - after) / 60.0);
        return new()
        {
            Epoch = 1 + Spikes.Count(s => s < step), Revision = 0, Attempt = step, Step = step, Samples = step, Tokens = step * 2_031_616, Skipped = false,
            Loss = 1.75 + 9 * Math.Pow(step + 20, -0.25) + 0.04 * random.NextDouble() + 3 * spike, LearningRate = 1.2e-4 * Math.Min(1, step / 2000.0) * (1 - 0.6 * step / 143_000.0) * (step > 61_000 ? 0.66 : 1),
            LossScale = Math.Pow(2, 3 - 4 * spike), GradientNorm = 0.2 + 0.1 * random.NextDouble() + 8 * spike, ActivationNorm = 40 + step / 4000.0 + 15 * spike, TokensPerSecond = 118_000 + 4000 * random.NextDouble() - (step % 5000 < 20 ? 60_000 : 0),
            Time = Start.AddSeconds(step * 17), Seconds = 17, HyperParameters = null!,
        };
    }

    private static JobPage Page(string space, string name) => new(space, name, $"uid-{name}", new()
    {
        ["namespace"] = space, ["name"] = name, ["uid"] = $"uid-{name}", ["created"] = Start, ["phase"] = "Running", ["step"] = 143_000, ["totalSteps"] = 147_700, ["loss"] = 2.2216, ["learningRate"] = 3.2e-5, ["lossScale"] = 8, ["gradientNorm"] = 0.24,
        ["tokensPerSecond"] = 119_870, ["stepSeconds"] = 17, ["epoch"] = 7, ["nodes"] = new JsonObject { ["desired"] = 124, ["ready"] = 124, ["sparesReady"] = 4, ["quarantined"] = new JsonArray(new JsonObject { ["name"] = "gpu-131", ["reason"] = "DeviceFailed" }) },
        ["restarts"] = new JsonObject { ["total"] = 6 }, ["lastCheckpoint"] = new JsonObject { ["step"] = 142_900, ["epoch"] = 7, ["committedAt"] = Start.AddSeconds(142_900 * 17), ["bytes"] = 2_100_000_000_000, ["location"] = "checkpoints/142900", ["verdict"] = "pending" },
        ["goodput"] = new JsonArray([.. new (string, double)[] { ("productive", 2_380_000), ("recompute", 21_000), ("restore", 9_500), ("provision", 5_400), ("rendezvous", 2_100), ("detect", 3_900), ("checkpointStall", 7_000) }.Select(a => (JsonNode)new JsonObject { ["account"] = a.Item1, ["seconds"] = a.Item2 })]),
    });

    private static JsonObject Everything(JobPage page)
    {
        var detail = page.Summary.DeepClone().AsObject();
        detail["conditions"] = new JsonArray();
        detail["logbook"] = new JsonArray([.. Entries().Select(e => JsonSerializer.SerializeToNode(e, ProtocolJson.Default.LogbookEntry))]);
        detail["lineage"] = new JsonArray([.. Enumerable.Range(1, 7).Select(e => (JsonNode)new JsonObject { ["epoch"] = e, ["revision"] = 0, ["parent"] = e - 1, ["created"] = Start.AddDays(e), ["reason"] = "WorkerFailed", ["message"] = $"rank {e} ended with signal 9", ["members"] = 124, ["resume"] = e == 1 ? null : new JsonObject { ["step"] = e * 1000, ["epoch"] = e - 1 } })]);
        detail["checkpoints"] = new JsonArray([.. Enumerable.Range(0, 8).Select(i => (JsonNode)new JsonObject { ["step"] = 142_200 + 100 * i, ["epoch"] = 7, ["committedAt"] = Start.AddDays(28), ["bytes"] = 2_100_000_000_000, ["location"] = $"checkpoints/{142_200 + 100 * i}", ["verdict"] = i == 7 ? "pending" : i == 2 ? "condemned" : "healthy" })]);
        detail["nodeMap"] = new JsonArray([.. Enumerable.Range(0, 130).Select(i => (JsonNode)new JsonObject { ["node"] = $"gpu-{i}", ["pod"] = $"opt-175b-{i}", ["rank"] = i < 124 ? i : null, ["phase"] = "Running", ["role"] = i < 124 ? "member" : i == 129 ? "quarantined" : "spare", ["ready"] = i != 57, ["quarantine"] = i == 129 ? "DeviceFailed" : null })]);
        return detail;
    }
}

/// <summary>Lets in whoever has the token "good".</summary>
internal sealed class TokenAccess(string? required) : IAccess
{
    public Task<Verdict> MayAsync(string? token, string verb, string? @namespace, CancellationToken ct) => Task.FromResult(required is null || token == required ? Verdict.Allowed : Verdict.Unauthenticated);
}
