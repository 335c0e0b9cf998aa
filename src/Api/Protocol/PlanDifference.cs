using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Opt.Api.Protocol;

/// <summary>What one plan changed against the plan before it, for people: machines, size, settings, data, template. Compared are the plans alone.</summary>
public static class PlanDifference
{
    private const int Shown = 4, LongestValue = 40;

    /// <summary>One clause a change; empty when everything is as it was.</summary>
    /// <param name="before">Null for the first plan.</param>
    public static IReadOnlyList<string> Of(RunPlan? before, RunPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return before is null ? [] : [.. Members(before, plan), .. Settings(before, plan), .. Data(before, plan)];
    }

    private static IEnumerable<string> Members(RunPlan before, RunPlan plan)
    {
        if (before.Members.Count != plan.Members.Count) yield return string.Create(CultureInfo.InvariantCulture, $"{before.Members.Count} -> {plan.Members.Count} machines");
        var both = before.Members.Zip(plan.Members).Select((m, rank) => (Rank: rank, Was: m.First, Is: m.Second)).ToArray();
        var swapped = both.Where(m => m.Was.Node != m.Is.Node).Select(m => $"{m.Was.Node} -> {m.Is.Node}").ToArray();
        if (swapped.Length > 0) yield return Some("node", swapped);
        var renewed = both.Where(m => m.Was.Node == m.Is.Node && m.Was.PodUid != m.Is.PodUid).Select(m => m.Is.Node).ToArray();
        if (renewed.Length > 0) yield return Some("new pod on", renewed);
        if (before.WorkersPerMember != plan.WorkersPerMember) yield return string.Create(CultureInfo.InvariantCulture, $"workers of a node {before.WorkersPerMember} -> {plan.WorkersPerMember}");
        if (before.TemplateRevision != plan.TemplateRevision) yield return $"pods of another template ({before.TemplateRevision} -> {plan.TemplateRevision})";
    }

    private static IEnumerable<string> Settings(RunPlan before, RunPlan plan)
    {
        var changes = Leaves(Json(before), Json(plan), "").ToArray();
        foreach (var change in changes.Take(2 * Shown)) yield return change;
        if (changes.Length > 2 * Shown) yield return $"{changes.Length - 2 * Shown} more settings";
    }

    private static IEnumerable<string> Data(RunPlan before, RunPlan plan)
    {
        if (before.Run != plan.Run) yield return $"run {before.Run} -> {plan.Run}";
        foreach (var range in plan.SkipSamples.Except(before.SkipSamples)) yield return string.Create(CultureInfo.InvariantCulture, $"skips samples {range.From} to {range.To}");
        foreach (var shuffle in plan.Shuffles.Except(before.Shuffles)) yield return string.Create(CultureInfo.InvariantCulture, $"samples {shuffle.From} to {shuffle.To} in another order");
        if (plan.DistrustedCheckpoints.Count > before.DistrustedCheckpoints.Count) yield return "a checkpoint is not trusted any more";
        if ((before.Replay is null) != (plan.Replay is null)) yield return plan.Replay is null ? "no longer a replay" : "a replay";
        if ((before.Pause is null) != (plan.Pause is null)) yield return plan.Pause is null ? "goes on" : "held for a person";
    }

    private static JsonNode? Json(RunPlan plan) => JsonSerializer.SerializeToNode(plan.Training, ProtocolJson.Default.TrainingConfig);

    /// <summary>Members that differ, by path; a list is one value.</summary>
    private static IEnumerable<string> Leaves(JsonNode? before, JsonNode? after, string path)
    {
        if (JsonNode.DeepEquals(before, after)) yield break;
        if (before is JsonObject was && after is JsonObject now)
        {
            foreach (var name in was.Select(p => p.Key).Union(now.Select(p => p.Key)))
            {
                foreach (var leaf in Leaves(was[name], now[name], path.Length == 0 ? name : $"{path}.{name}")) yield return leaf;
            }
        }
        else
        {
            yield return $"{Short(path)} {Text(before)} -> {Text(after)}";
        }
    }

    // What people know by its own name needs no path before it.
    private static string Short(string path) => path.StartsWith("hyperParameters.", StringComparison.Ordinal) ? path["hyperParameters.".Length..] : path;

    private static string Text(JsonNode? value)
    {
        var text = value is JsonValue leaf && leaf.TryGetValue<string>(out var plain) ? plain : value?.ToJsonString() ?? "unset";
        return text.Length <= LongestValue ? text : $"{text[..LongestValue]}...";
    }

    private static string Some(string what, string[] names) => $"{what} {string.Join(", ", names.Take(Shown))}{(names.Length > Shown ? $" and {names.Length - Shown} more" : "")}";
}
