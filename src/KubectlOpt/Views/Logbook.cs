using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.Protocol;

namespace Opt.KubectlOpt.Views;

/// <summary>What was done to a job, oldest first, each event once, with its outcome where that is known.</summary>
/// <param name="Entries">As the operator wrote them.</param>
/// <param name="Missing">Where older entries are; empty when all are here.</param>
internal sealed record Logbook(IReadOnlyList<JsonObject> Entries, string Missing)
{
    /// <param name="pages">ConfigMaps of the logbook; null where the user may not list them.</param>
    public static Logbook Of(JsonObject job, IReadOnlyList<JsonObject>? pages)
    {
        var newest = job.At("status").Items("logbook").ToArray();
        var mine = (pages ?? []).Where(p => p.Items("metadata", "ownerReferences").Any(o => o.Text("uid") == job.Text("metadata", "uid"))).OrderBy(Number).ToArray();
        var entries = mine.SelectMany(Lines).Concat(newest).GroupBy(Event).Select(Told).OrderBy(e => e.Time("time")).ToArray();
        return new(entries, BeginsWithTheRun(entries) ? "" : Elsewhere(job, isAllowed: pages is not null));
    }

    private static string Elsewhere(JsonObject job, bool isAllowed) =>
        $"\nOlder entries are {(isAllowed ? "in the checkpoint store alone" : $"in ConfigMaps, which you may not list in {job.Text("metadata", "namespace")} (the role \"view\" may), and in the checkpoint store")}: kubectl exec -n {job.Text("metadata", "namespace")} {job.Name()}-0 -- opt-trainer logbook\n";

    /// <summary>The first launch is there, or none at all. It has epoch 1, unless an operator died before it could make that one's plan.</summary>
    private static bool BeginsWithTheRun(IEnumerable<JsonObject> entries)
    {
        var launches = entries.Select(e => e.Text("what") ?? "").Where(w => w.StartsWith("launched epoch ", StringComparison.Ordinal)).ToArray();
        return launches.Length == 0 || $"{launches[0]} ".StartsWith("launched epoch 1 ", StringComparison.Ordinal) || launches[0].Contains(" from initial weights ", StringComparison.Ordinal);
    }

    private static int Number(JsonObject page) => int.TryParse(page.Text("metadata", "labels", LogbookPages.Label), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private static IEnumerable<JsonObject> Lines(JsonObject page) => (page.Text("data", LogbookPages.Key) ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Parse).OfType<JsonObject>();

    private static (long?, string?, string?) Event(JsonObject entry) => (entry.Time("time")?.ToUnixTimeMilliseconds(), entry.Text("actor"), entry.Text("what"));

    private static JsonObject Told(IEnumerable<JsonObject> tellings) => tellings.LastOrDefault(t => t.Text("outcome") is not null) ?? tellings.Last();

    /// <summary>Null for a line that somebody broke.</summary>
    private static JsonObject? Parse(string line)
    {
        try
        {
            return JsonNode.Parse(line) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
