using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Opt.KubectlOpt.Views;

/// <summary>A job as text. Pure functions of the object as the API server gave it.</summary>
internal static class JobViews
{
    public static string List(IEnumerable<JsonObject> jobs, bool withNamespace, bool wide, DateTimeOffset now)
    {
        string[] headers = [.. withNamespace ? ["NAMESPACE"] : Array.Empty<string>(), "NAME", "PHASE", "STEP", "LOSS", "TOKENS/S", "NODES", "EPOCH", "RESTARTS", "GOODPUT", "CHECKPOINT", "AGE", .. wide ? ["LR", "SCALE", "SPARES", "QUARANTINED"] : Array.Empty<string>()];
        return Table.Of(headers, jobs.Select(Row));

        string[] Row(JsonObject job)
        {
            var status = job.At("status");
            return
            [
                .. withNamespace ? [job.Text("metadata", "namespace") ?? ""] : Array.Empty<string>(),
                job.Name(), status.Text("phase") ?? "Pending", Progress(status), Show.Loss(status.Number("loss")), Show.Whole(status.Number("tokensPerSecond")),
                Ready(status), Show.Whole(status.Number("epoch")), Show.Whole(status.Number("restarts", "total")), Productive(status), CheckpointStep(status.At("lastCheckpoint")),
                Show.Age(job.Time("metadata", "creationTimestamp"), now),
                .. wide ? [Show.Short(status.Number("learningRate")), Show.Short(status.Number("lossScale")), Show.Whole(status.Number("nodes", "sparesReady")), $"{status.Items("nodes", "quarantined").Count()}"] : Array.Empty<string>(),
            ];
        }
    }

    /// <summary>Everything at a glance: progress, values, checkpoints, nodes, problems, the newest decisions.</summary>
    public static string Detail(JsonObject job, DateTimeOffset now)
    {
        var status = job.At("status");
        var share = status.Number("step") is { } step && status.Number("totalSteps") is > 0 and var total ? step / total : 0;
        var text = new StringBuilder(Table.Fields(
        [
            ("Name", $"{job.Text("metadata", "namespace")}/{job.Name()}"),
            ("Phase", $"{status.Text("phase") ?? "Pending"}{(job.Flag("spec", "suspend") ? " (suspended by the spec)" : "")}"),
            ("Progress", $"{Show.Bar(share, 30)} {Show.Percent(share)}  step {Progress(status)}{Remaining(status)}"),
            .. Restore(status.At("restore")),
            ("Loss", $"{Show.Loss(status.Number("loss"))}   learning rate {Show.Short(status.Number("learningRate"))}   loss scale {Show.Short(status.Number("lossScale"))}   gradient norm {Show.Short(status.Number("gradientNorm"))}"),
            ("Speed", $"{Show.Whole(status.Number("tokensPerSecond"))} tokens/s, {Show.Short(status.Number("stepSeconds"))} s a step, {Productive(status)} of the time productive"),
            ("Nodes", $"{Ready(status)} ready, {Show.Whole(status.Number("nodes", "sparesReady"))} spares, {status.Items("nodes", "quarantined").Count()} quarantined"),
            ("Epoch", $"{Show.Whole(status.Number("epoch"))} (revision {Show.Whole(status.Number("revision"))}), {Show.Whole(status.Number("restarts", "total"))} {(status.Number("restarts", "total") is 1 ? "restart" : "restarts")}"),
            ("Checkpoint", Checkpoint(status.At("lastCheckpoint"), now)),
            ("Healthy", Checkpoint(status.At("lastHealthyCheckpoint"), now)),
        ]));
        var problems = status.Items("conditions").Where(IsProblem).ToArray();
        if (problems.Length > 0) text.Append("\nProblems:\n").AppendJoin("", problems.Select(c => $"  {c.Text("type")} is {c.Text("status")}: {c.Text("reason")}: {c.Text("message")}\n"));
        var watches = status.Items("watches").ToArray();
        if (watches.Length > 0) text.Append("\nWaited out:\n").AppendJoin("", watches.Select(w => $"  {Watch(w, now)}\n"));
        var entries = status.Items("logbook").TakeLast(5).ToArray();
        if (entries.Length > 0) text.Append("\nLogbook (newest):\n").AppendJoin("", Logbook(entries, now).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => $"  {l}\n"));
        return text.ToString();
    }

    /// <summary><c>hang for 45s, acted on in 75s</c>.</summary>
    private static string Watch(JsonObject watch, DateTimeOffset now)
    {
        var about = string.Join(" on ", new[] { watch.Text("pod"), watch.Text("node") }.Where(t => t is not null));
        var left = watch.Time("until") is not { } until ? "only watched" : until > now ? $"acted on in {Show.Duration(until - now)}" : "acted on now";
        return $"{watch.Text("what")}{(about.Length > 0 ? $" of {about}" : "")} for {Show.Age(watch.Time("since"), now)}, {left}";
    }

    /// <param name="entries">Oldest first, as in status.</param>
    /// <param name="width">Of the terminal, where what and why then share a column; null to wrap nothing.</param>
    public static string Logbook(IEnumerable<JsonObject> entries, DateTimeOffset now, int? width = null) => width is null
        ? Table.Of(["ID", "AGE", "EPOCH", "STEP", "BY", "WHAT", "WHY"], entries.Select(e => (IReadOnlyList<string>)[.. Entry(e, now), OneLine(e.Text("what")), Why(e)]))
        : Table.Of(["ID", "AGE", "EPOCH", "STEP", "BY", "WHAT, AND WHY"], entries.Select(e => (IReadOnlyList<string>)[.. Entry(e, now), $"{OneLine(e.Text("what"))}\n{Why(e)}"]), width);

    private static string[] Entry(JsonObject entry, DateTimeOffset now) =>
        [Id(entry), Show.Age(entry.Time("time"), now), Show.Whole(entry.Number("epoch")), Show.Whole(entry.Number("step")), entry.Text("actor") ?? ""];

    private static string Why(JsonObject entry) => OneLine(entry.Text("outcome") is { } outcome ? $"{entry.Text("why")} -> {outcome}" : entry.Text("why"));

    /// <summary>A name for an entry that does not change as older ones are dropped: eight hexadecimal digits of its content's digest.</summary>
    public static string Id(JsonObject entry) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{entry.Text("time")}|{entry.Text("epoch")}|{entry.Text("what")}|{entry.Text("why")}")))[..8];

    public static string Goodput(JsonObject job)
    {
        var accounts = job.At("status").Items("goodput").Select(a => (Name: a.Text("account") ?? "", Seconds: a.Number("seconds") ?? 0)).ToArray();
        var total = accounts.Sum(a => a.Seconds);
        if (total <= 0) return "No time is accounted for yet.\n";
        return Table.Of(["ACCOUNT", "TIME", "SHARE", ""], accounts.Where(a => a.Seconds > 0).OrderByDescending(a => a.Seconds)
            .Select(a => (IReadOnlyList<string>)[a.Name, a.Seconds < 1 ? "<1s" : Show.Duration(TimeSpan.FromSeconds(a.Seconds)), Show.Percent(a.Seconds / total), Show.Bar(a.Seconds / total, 30)]));
    }

    public static bool IsFinished(JsonObject job) => job.Text("status", "phase") is "Succeeded" or "Failed";

    private static bool IsProblem(JsonObject condition) => condition.Text("type") is var type && condition.Text("status") switch
    {
        "True" => type is "Failed",
        "False" => type is "SpecValid" or "PodTemplateValid" or "MembersPlaced" or "StoreReady" or "SpecInForce",
        _ => false,
    };

    private static string Progress(JsonNode? status) => $"{Show.Whole(status.Number("step") ?? 0)}/{Show.Whole(status.Number("totalSteps"))}";

    private static string Ready(JsonNode? status) => $"{Show.Whole(status.Number("nodes", "ready") ?? 0)}/{Show.Whole(status.Number("nodes", "desired"))}";

    private static string Productive(JsonNode? status)
    {
        var accounts = status.Items("goodput").Select(a => (Name: a.Text("account"), Seconds: a.Number("seconds") ?? 0)).ToArray();
        var total = accounts.Sum(a => a.Seconds);
        return total > 0 ? Show.Percent(accounts.Where(a => a.Name == "productive").Sum(a => a.Seconds) / total) : Show.Unknown;
    }

    private static string Remaining(JsonNode? status) =>
        status.Text("phase") is "Running" && status.Number("stepSeconds") is > 0 and var seconds && status.Number("totalSteps") - status.Number("step") is > 0 and var left
            ? $", {Show.Duration(TimeSpan.FromSeconds(seconds * left))} left at this speed" : "";

    /// <summary>While a checkpoint is restored: how far all workers are, and which of them hold the others up.</summary>
    private static (string, string)[] Restore(JsonNode? restore)
    {
        if (restore is null) return [];
        var share = restore.Number("progress") ?? 0;
        var left = restore.Number("secondsLeft") is { } seconds ? $", about {Show.Duration(TimeSpan.FromSeconds(seconds))} left" : "";
        var slowest = string.Join(", ", restore.Items("slowest").Take(3).Select(s => $"rank {Show.Whole(s.Number("rank"))} on {s.Text("pod")} {Show.Percent(s.Number("progress") ?? 0)}"));
        return [("Restoring", $"{Show.Bar(share, 30)} {Show.Percent(share)}  step {Show.Whole(restore.Number("step"))}: {Show.Whole(restore.Number("done"))} of {Show.Whole(restore.Number("workers"))} workers done{left}; slowest: {slowest}")];
    }

    private static string CheckpointStep(JsonNode? checkpoint) => Show.Whole(checkpoint.Number("step"));

    private static string Checkpoint(JsonNode? checkpoint, DateTimeOffset now) => checkpoint is null
        ? "none yet"
        : $"step {CheckpointStep(checkpoint)}, {checkpoint.Text("verdict")}, {Show.Age(checkpoint.Time("committedAt"), now)} ago, {Show.Bytes(checkpoint.Number("bytes"))} at {checkpoint.Text("location")}";

    internal static string OneLine(string? text) => (text ?? "").ReplaceLineEndings(" ");
}
