using System.Globalization;
using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Cli.Run;

/// <summary>What is shown of a job, read from its status.</summary>
internal sealed record JobView
{
    public required string Phase { get; init; }
    public long Epoch { get; init; }
    public long Step { get; init; }
    public long TotalSteps { get; init; }
    public long Tokens { get; init; }
    public double? Loss { get; init; }
    public double? LearningRate { get; init; }
    public double? TokensPerSecond { get; init; }
    public int NodesReady { get; init; }
    public int NodesDesired { get; init; }
    public int Restarts { get; init; }
    public long? CheckpointStep { get; init; }
    public string? CheckpointLocation { get; init; }
    public string? Problem { get; init; }
    public IReadOnlyList<(string Cause, int Count)> Causes { get; init; } = [];
    public IReadOnlyList<(string Account, double Seconds)> Goodput { get; init; } = [];
    public IReadOnlyList<(string Node, string Reason)> Quarantined { get; init; } = [];
    public IReadOnlyList<LogEntry> Logbook { get; init; } = [];

    public bool IsFinished => Phase is "Succeeded" or "Failed";
    public double Fraction => TotalSteps == 0 ? 0 : Math.Min(1, (double)Step / TotalSteps);

    public static JobView Of(JsonObject job)
    {
        var status = job["status"] as JsonObject ?? [];
        return new()
        {
            Phase = (string?)status["phase"] ?? "Pending",
            Epoch = Whole(status["epoch"]),
            Step = Whole(status["step"]),
            TotalSteps = Whole(status["totalSteps"]),
            Tokens = Whole(status["tokens"]),
            Loss = Number(status["loss"]),
            LearningRate = Number(status["learningRate"]),
            TokensPerSecond = Number(status["tokensPerSecond"]),
            NodesReady = (int)Whole(status["nodes"]?["ready"]),
            NodesDesired = (int)Whole(status["nodes"]?["desired"]),
            Restarts = (int)Whole(status["restarts"]?["total"]),
            CheckpointStep = status["lastCheckpoint"]?["step"] is { } step ? Whole(step) : null,
            CheckpointLocation = (string?)status["lastCheckpoint"]?["location"],
            Problem = Items(status["conditions"]).Where(IsProblem).Select(c => $"{c["type"]}: {c["message"]}").FirstOrDefault(),
            Causes = [.. Items(status["restarts"]?["byCause"]).Select(c => ((string?)c["cause"] ?? "", (int)Whole(c["count"])))],
            Goodput = [.. Items(status["goodput"]).Select(a => ((string?)a["account"] ?? "", Number(a["seconds"]) ?? 0))],
            Quarantined = [.. Items(status["nodes"]?["quarantined"]).Select(n => ((string?)n["name"] ?? "", (string?)n["reason"] ?? ""))],
            Logbook = [.. Items(status["logbook"]).Select(LogEntry.Of)],
        };
    }

    private static bool IsProblem(JsonObject condition) =>
        (string?)condition["type"] is var type && ((type == "Failed" && (string?)condition["status"] == "True") || (type is "SpecValid" or "PodTemplateValid" && (string?)condition["status"] == "False"));

    private static IEnumerable<JsonObject> Items(JsonNode? list) => (list as JsonArray)?.OfType<JsonObject>() ?? [];
    private static long Whole(JsonNode? node) => node is null ? 0 : (long)Number(node)!.Value;
    private static double? Number(JsonNode? node) => node is null ? null : double.Parse(node.ToJsonString(), CultureInfo.InvariantCulture);
}

/// <summary>One logbook entry.</summary>
internal sealed record LogEntry(string Time, long Step, string What, string Why)
{
    public static LogEntry Of(JsonObject entry) =>
        new((string?)entry["time"] ?? "", entry["step"] is { } step ? long.Parse(step.ToJsonString(), CultureInfo.InvariantCulture) : 0, (string?)entry["what"] ?? "", (string?)entry["why"] ?? "");
}
