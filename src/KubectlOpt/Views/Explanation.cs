using System.Text.Json.Nodes;

namespace Opt.KubectlOpt.Views;

/// <summary>One decision in full: what was done, on what evidence, by which plan, what came of it, and what it used up.</summary>
/// <param name="Entry">Of the logbook; null where an epoch was asked for.</param>
/// <param name="Plan">In force then; null where it is not kept any more.</param>
internal sealed record Explanation(JsonObject? Entry, JsonObject? Plan)
{
    /// <param name="entries">Of the logbook, oldest first.</param>
    /// <param name="plans">Of the job, oldest first.</param>
    /// <param name="decision">A logbook id (or its beginning), an epoch number, or null for the newest entry.</param>
    /// <returns>Null when there is no such decision.</returns>
    public static Explanation? Of(IReadOnlyList<JsonObject> entries, IReadOnlyList<JsonObject> plans, string? decision)
    {
        var entry = decision is null ? entries is [.., var newest] ? newest : null : entries.LastOrDefault(e => JobViews.Id(e).StartsWith(decision, StringComparison.OrdinalIgnoreCase));
        var epoch = entry?.Number("epoch") ?? (double.TryParse(decision, System.Globalization.CultureInfo.InvariantCulture, out var number) ? number : null);
        var plan = plans.LastOrDefault(p => p.Number("epoch") == epoch && (entry?.Time("time") is not { } time || p.Time("createdAt") is not { } created || created <= time.AddSeconds(60))) ?? plans.LastOrDefault(p => p.Number("epoch") == epoch);
        return entry is null && plan is null ? null : new(entry, plan);
    }

    /// <summary>For programs: the two objects as they are, the entry with its id.</summary>
    public JsonObject ToJson()
    {
        var decision = Entry?.DeepClone().AsObject();
        if (decision is not null) decision["id"] = JobViews.Id(Entry!);
        return new() { ["decision"] = decision, ["plan"] = Plan?.DeepClone() };
    }

    public string ToText(DateTimeOffset now) => string.Join('\n', new[] { Entry is null ? null : Decision(Entry, now), Plan is null ? null : InForce(Plan) }.OfType<string>());

    private static string Decision(JsonObject entry, DateTimeOffset now)
    {
        var fields = new List<(string, string)>
        {
            ("Decision", JobViews.Id(entry)),
            ("When", $"{Show.Time(entry.Time("time"))} UTC ({Show.Age(entry.Time("time"), now)} ago)"),
            ("By", entry.Text("actor") ?? ""),
            ("What", JobViews.OneLine(entry.Text("what"))),
            ("Why", JobViews.OneLine(entry.Text("why"))),
            ("At step", Show.Whole(entry.Number("step"))),
        };
        if (entry.Text("outcome") is { } outcome) fields.Add(("Outcome", JobViews.OneLine(outcome)));
        return Table.Fields(fields);
    }

    private static string InForce(JsonObject plan)
    {
        var members = plan.Items("members").ToArray();
        var fields = new List<(string, string)>
        {
            ("Plan", $"epoch {Show.Whole(plan.Number("epoch"))}, revision {Show.Whole(plan.Number("revision"))}, made {Show.Time(plan.Time("createdAt"))} UTC"),
            ("Cause", $"{plan.Text("cause", "reason")} ({plan.Text("cause", "id")})"),
            ("Evidence", JobViews.OneLine(plan.Text("cause", "message"))),
        };
        if (plan.Text("cause", "node") is { } node) fields.Add(("Blamed node", node));
        fields.Add(("Resumes from", plan.At("resume") is { } resume ? $"step {Show.Whole(resume.Number("step"))} of epoch {Show.Whole(resume.Number("epoch"))}" : "initial weights"));
        fields.Add(("Trains on", $"{members.Length} nodes x {Show.Whole(plan.Number("workersPerMember"))} workers: {Some(members.Select(m => m.Text("node") ?? "?").ToArray())}"));
        foreach (var budget in plan.Items("budgets").GroupBy(b => b.Text("budget") ?? "")) fields.Add(("Budget used", $"{budget.Key}: {budget.Count()} in its window"));
        if (plan.At("distrustedCheckpoints") is JsonArray { Count: > 0 } distrusted) fields.Add(("Distrusted", $"{distrusted.Count} checkpoints that could not be restored"));
        return Table.Fields(fields);
    }

    private static string Some(string[] names) => names.Length <= 8 ? string.Join(", ", names) : $"{string.Join(", ", names.Take(8))} and {names.Length - 8} more";
}
