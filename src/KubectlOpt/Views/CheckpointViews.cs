using System.Text.Json.Nodes;

namespace Opt.KubectlOpt.Views;

/// <summary>Checkpoint objects as text.</summary>
internal static class CheckpointViews
{
    public static string List(IEnumerable<JsonObject> checkpoints, IEnumerable<JsonObject> plans, DateTimeOffset now)
    {
        var resumed = plans.Where(p => p.Number("revision") is 0 or null).ToLookup(p => p.Text("resume", "manifestDigest") ?? "", p => Show.Whole(p.Number("epoch")));
        return Table.Of(["STEP", "TOKENS", "EPOCH", "SIZE", "VERDICT", "PINNED", "TIERS", "AGE", "RESUMED BY", "NAME", "WHY"], checkpoints.Select(c => c.At("status")).Zip(checkpoints, (status, c) => (IReadOnlyList<string>)
        [
            Show.Whole(status.Number("step")), Show.Whole(status.Number("tokens")), Show.Whole(status.Number("epoch")), Show.Bytes(status.Number("bytes")), status.Text("verdict") ?? Show.Unknown, status.Flag("pinned") ? "yes" : "no",
            string.Join(',', (status.At("tiers") as JsonArray ?? []).Select(t => (string?)t)), Show.Age(status.Time("committedAt"), now),
            string.Join(',', resumed[status.Text("manifestDigest") ?? ""]) is { Length: > 0 } epochs ? epochs : Show.Unknown, c.Name(), Why(status),
        ]));
    }

    private static string Why(JsonNode? status) => JobViews.OneLine(status.Text("waiting") is { Length: > 0 } waiting ? waiting : status.Text("reason"));
}
