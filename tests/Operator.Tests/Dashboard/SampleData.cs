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
    public static readonly DateTimeOffset Now = Start.AddSeconds(143_000 * 17 + 600);
    private static readonly long[] Spikes = [11_300, 23_456, 46_200, 61_000, 98_765, 120_400];
    private static readonly (string Actor, string What, string Why, string Reason)[] Incidents =
    [
        ("operator", "launched epoch 2", "gpu-17 quarantined: Xid 79; the spare gpu-125 takes rank block 17", "DeviceFailed"),
        ("operator", "launched epoch 3", "no step for 102 s, six times the median; rank 408 on gpu-51 is behind all others", "Hang"),
        ("operator", "launched epoch 4", "rank 96 on gpu-12 ended with signal 9", "WorkerFailed"),
        ("policy loss-spike", "rolled back to step 60900, learning rate x 0.66", "loss 4.71 is 9.3 robust sigmas above the 200 before, for 20 attempts", "Divergence"),
        ("operator", "quarantined gpu-129", "DeviceFailed: row remapping failed on gpu-129; the spare gpu-124 takes its rank block", "DeviceFailed"),
        ("user alice@example.com", "diagnose requested", "all 128 nodes passed; nobody is to blame", "DiagnosticsRequested"),
    ];
    private readonly RunRecord _record = new();

    /// <param name="entries">Of the logbook, with the six that the status holds.</param>
    public SampleData(int steps = 143_000, int entries = 300)
    {
        var random = new Random(175);
        for (var step = 1; step <= steps; step++) _record.Columns.Add(Record(step, random));
        _record.Note(Enumerable.Range(0, entries - Spikes.Length).Select(i => new LogbookEntry
        {
            Time = Start.AddHours(i / 8.0), Epoch = 1, Step = 1 + i, Actor = "operator", What = $"kept watch {i}", Why = i switch { 7 => "the oldest needle", 290 => "heard <script>alert(1)</script>", _ => "nothing was wrong" },
        }));
        _record.Note(Entries());
    }

    public IReadOnlyList<JobPage> Jobs() => [Page("research", "opt-175b"), Page("team-b", "opt-1.3b")];

    public JsonObject? Detail(string @namespace, string name) => Jobs().FirstOrDefault(j => (j.Namespace, j.Name) == (@namespace, name)) is { } page ? Everything(page) : null;

    public RunRecord Record(string uid) => uid == "uid-opt-175b" ? _record : new();

    /// <summary>The newest entries: what the status holds.</summary>
    private static IEnumerable<LogbookEntry> Entries() => Spikes.Select((s, i) => new LogbookEntry
    {
        Time = Start.AddSeconds(s * 17), Epoch = i + 2, Step = s, Actor = Incidents[i].Actor, What = Incidents[i].What, Why = Incidents[i].Why,
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
        ["tokensPerSecond"] = 119_870, ["stepSeconds"] = 17, ["epoch"] = 7, ["nodes"] = new JsonObject { ["desired"] = 124, ["ready"] = 124, ["sparesReady"] = 4, ["quarantined"] = new JsonArray([.. new[] { "gpu-17", "gpu-129" }.Select(n => (JsonNode)new JsonObject { ["name"] = n, ["reason"] = "DeviceFailed" })]) },
        ["restarts"] = new JsonObject { ["total"] = 6 }, ["lastCheckpoint"] = new JsonObject { ["step"] = 142_900, ["epoch"] = 7, ["committedAt"] = Start.AddSeconds(142_900 * 17), ["bytes"] = 2_100_000_000_000, ["location"] = "checkpoints/142900", ["verdict"] = "pending" },
        ["goodput"] = new JsonArray([.. new (string, double)[] { ("productive", 2_380_000), ("recompute", 21_000), ("restore", 9_500), ("provision", 5_400), ("rendezvous", 2_100), ("detect", 3_900), ("checkpointStall", 7_000) }.Select(a => (JsonNode)new JsonObject { ["account"] = a.Item1, ["seconds"] = a.Item2 })]),
    });

    private static JsonObject Everything(JobPage page)
    {
        var detail = page.Summary.DeepClone().AsObject();
        detail["conditions"] = new JsonArray();
        detail["logbook"] = new JsonArray([.. Entries().Select(e => JsonSerializer.SerializeToNode(e, ProtocolJson.Default.LogbookEntry))]);
        detail["lineage"] = new JsonArray([.. Enumerable.Range(1, 7).Select(e => (JsonNode)new JsonObject
        {
            ["epoch"] = e, ["revision"] = 0, ["parent"] = e - 1, ["created"] = e == 1 ? Start : Start.AddSeconds(Spikes[e - 2] * 17), ["members"] = 124,
            ["reason"] = e == 1 ? "Start" : Incidents[e - 2].Reason, ["message"] = e == 1 ? "first launch" : Incidents[e - 2].Why, ["resume"] = e == 1 ? null : new JsonObject { ["step"] = Spikes[e - 2] / 100 * 100 - 100, ["epoch"] = e - 1 },
            ["changed"] = e == 5 ? new JsonArray("hyperParameters.learningRate.peak 0.00012 -> 0.0000792", "run 1.0 -> 1.1") : e == 2 ? new JsonArray("node gpu-17 -> gpu-125") : [],
            ["outcome"] = e == 7 ? "running at step 143000" : $"{Incidents[e - 1].Reason} at step {Spikes[e - 1]}",
        })]);
        detail["checkpoints"] = new JsonArray([.. Enumerable.Range(0, 8).Select(i => (JsonNode)new JsonObject
        {
            ["step"] = 142_200 + 100 * i, ["epoch"] = 7, ["committedAt"] = Start.AddSeconds((142_200 + 100 * i) * 17L), ["bytes"] = 2_100_000_000_000, ["location"] = $"checkpoints/{142_200 + 100 * i}", ["verdict"] = i == 7 ? "pending" : i == 2 ? "condemned" : "healthy",
        })]);
        detail["nodeMap"] = new JsonArray([.. Enumerable.Range(0, 124).Select(rank => Machine(rank switch { 17 => 125, _ => rank }, rank)), .. new[] { 124, 126, 127, 128 }.Select(n => Machine(n, null)), .. new[] { 17, 129 }.Select(n => Machine(n, null, "DeviceFailed"))]);
        return detail;
    }

    private static JsonObject Machine(int number, int? rank, string? quarantine = null) => new JsonObject
    {
        ["node"] = $"gpu-{number}", ["pod"] = quarantine is null ? $"opt-175b-{rank ?? number}" : null, ["rank"] = rank, ["phase"] = quarantine is null ? "Running" : null,
        ["role"] = quarantine is not null ? "quarantined" : rank is not null ? "member" : "spare", ["ready"] = number != 57, ["quarantine"] = quarantine,
    };
}

/// <summary>A clock that stands at the moment of the sample; timers run.</summary>
internal sealed class SampleClock : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => SampleData.Now;
}

/// <summary>Lets in whoever has the token "good".</summary>
internal sealed class TokenAccess(string? required) : IAccess
{
    public Task<Verdict> MayAsync(string? token, string verb, string? @namespace, CancellationToken ct) => Task.FromResult(required is null || token == required ? Verdict.Allowed : Verdict.Unauthenticated);
}
