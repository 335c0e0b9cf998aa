using System.Globalization;
using Opt.Api.Protocol;

namespace Opt.Planning.Stacks;

/// <summary>One rank of the run that stands still.</summary>
internal sealed record RankStack(int Rank, Member Member, WorkerStack Stack);

/// <summary>What the stacks of all ranks say together, as people read those of PyTorch's flight recorder: who is not where all others wait.</summary>
internal static class StackReading
{
    private const int ShownGroups = 6, ShownNodes = 3;

    /// <summary>
    /// The rank that holds the others up: the one whose process is stopped, else the one that has submitted fewer collectives than all others. Null when several machines
    /// are equally far behind. Of two machines one that waits in a collective itself is not named: its peer may as well have failed to send.
    /// </summary>
    public static RankStack? Culprit(IReadOnlyList<RankStack> ranks)
    {
        if (Machines(ranks) < 2) return null;
        var stopped = ranks.Where(r => r.Stack.Process is "T" or "t").ToArray();
        if (stopped.Length > 0) return Machines(stopped) == 1 ? stopped[0] : null;
        var known = ranks.Where(r => r.Stack.Activity is not null).ToArray();
        if (Machines(known) < 2) return null;
        var least = known.Min(Place);
        var behind = known.Where(r => Place(r) == least).ToArray();
        if (Machines(behind) != 1) return null;
        var first = behind.FirstOrDefault(r => r.Stack.Activity!.WaitsFor is null) ?? behind[0];
        return first.Stack.Activity!.WaitsFor is null || Machines(known) > 2 ? first : null;
    }

    /// <summary>One clause for each group of ranks in the same place, the largest first.</summary>
    /// <param name="silent">Who was asked and did not answer, or could not be asked.</param>
    public static string Summary(IReadOnlyList<RankStack> ranks, IReadOnlyList<string> silent)
    {
        var groups = ranks.GroupBy(r => Say(r.Stack)).OrderByDescending(g => g.Count()).ThenBy(g => g.First().Rank).ToArray();
        var said = groups.Take(ShownGroups).Select(g => $"{Named(g)}: {g.Key}").ToList();
        if (groups.Length > ShownGroups) said.Add($"{groups.Skip(ShownGroups).Sum(g => g.Count())} ranks in {groups.Length - ShownGroups} other places");
        if (silent.Count > 0) said.Add($"no answer from {string.Join(", ", silent.Take(ShownNodes))}{(silent.Count > ShownNodes ? $" and {silent.Count - ShownNodes} more" : "")}");
        return said.Count == 0 ? "no agent could tell where its workers stand" : string.Join("; ", said);
    }

    /// <summary>Where one worker stands: the same words for all that stand in the same place.</summary>
    public static string Say(WorkerStack stack)
    {
        if (stack.State is WorkerState.Exited) return "ended";
        var where = stack.Activity is { } activity ? Say(activity) : $"in {stack.State}";
        return stack.Process switch
        {
            "T" or "t" => $"stopped ({stack.Process}){(stack.Activity is null ? "" : $" in {Part(stack.Activity)}")}",
            "D" => $"{where}, blocked in the kernel (D)",
            "Z" or "X" => "ended",
            _ => where,
        };
    }

    private static string Say(WorkerActivity activity) => activity.WaitsFor is null
        ? $"in {Part(activity)}"
        : string.Create(CultureInfo.InvariantCulture, $"waiting in {activity.Collective ?? "a collective"} {activity.Finished + 1} of {Part(activity)}");

    private static string Part(WorkerActivity activity) =>
        string.Create(CultureInfo.InvariantCulture, $"{activity.Phase}{(activity.Block is { } block ? $" (block {block})" : "")} of attempt {activity.Attempt}");

    private static string Named(IEnumerable<RankStack> group)
    {
        var ranks = group.ToArray();
        var nodes = ranks.Select(r => r.Member.Planned.Node).Distinct(StringComparer.Ordinal).ToArray();
        return $"{(ranks.Length == 1 ? "rank" : "ranks")} {Spans([.. ranks.Select(r => r.Rank)])}{(nodes.Length <= ShownNodes ? $" ({string.Join(", ", nodes)})" : "")}";
    }

    /// <summary>Ascending numbers as 0-3,5.</summary>
    private static string Spans(int[] numbers)
    {
        var spans = new List<(int From, int To)>();
        foreach (var number in numbers)
        {
            if (spans.Count > 0 && spans[^1].To == number - 1) spans[^1] = (spans[^1].From, number);
            else spans.Add((number, number));
        }

        return string.Join(',', spans.Select(s => s.From == s.To ? $"{s.From}" : $"{s.From}-{s.To}"));
    }

    private static (long Attempt, long Submitted) Place(RankStack rank) => (rank.Stack.Activity!.Attempt, rank.Stack.Activity.Submitted);

    private static int Machines(IEnumerable<RankStack> ranks) => ranks.Select(r => r.Member.Index).Distinct().Count();
}
