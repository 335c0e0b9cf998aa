using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.KubectlOpt.Views;

/// <summary>Run plans as text: who descends from whom, which checkpoints they went on from, who trains.</summary>
internal static class PlanViews
{
    /// <summary>Beside the members of a plan: the newest step that the epoch before was seen to reach.</summary>
    private const string ParentStep = "parentStep";

    /// <summary>The plan in a ConfigMap; null when there is none.</summary>
    public static JsonObject? Read(JsonObject map)
    {
        try
        {
            if (map.Text("data", "plan.json") is not { } text || JsonNode.Parse(text) is not JsonObject plan) return null;
            if (EpochOutcome.ParentStep(map.Text("metadata", "annotations", EpochOutcome.ParentStepAnnotation)) is { } step) plan[ParentStep] = step;
            return plan;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <param name="plans">Oldest first.</param>
    /// <param name="width">Of the terminal, where the sentences then share a column; null to wrap nothing.</param>
    public static string Lineage(JsonObject job, IReadOnlyList<JsonObject> plans, DateTimeOffset now, int? width) => width is null
        ? Table.Of(["EPOCH", "REVISION", "FROM", "RESUMED", "NODES", "AGE", "ENDED", "CAUSE", "WHY"], plans.Select((p, i) => (IReadOnlyList<string>)
            [Show.Whole(p.Number("epoch")), Show.Whole(p.Number("revision")), .. Origin(p, now), Outcome(job, plans, p), p.Text("cause", "reason") ?? "", Why(plans, i)]))
        : Table.Of(["EPOCH", "FROM", "RESUMED", "NODES", "AGE", "CAUSE", "WHY, AND HOW IT ENDED"], plans.Select((p, i) => (IReadOnlyList<string>)
            [$"{Show.Whole(p.Number("epoch"))}{(p.Number("revision") is > 0 and var revision ? $".{Show.Whole(revision)}" : "")}", .. Origin(p, now), p.Text("cause", "reason") ?? "", $"{Why(plans, i)}\n{Outcome(job, plans, p)}"]), width);

    private static string[] Origin(JsonObject plan, DateTimeOffset now) =>
    [
        plan.Number("parentEpoch") is > 0 and var parent ? Show.Whole(parent) : Show.Unknown,
        plan.At("resume") is { } resume ? $"step {Show.Whole(resume.Number("step"))} of epoch {Show.Whole(resume.Number("epoch"))}" : "initial weights",
        $"{(plan.At("members") as JsonArray ?? []).Count}", Show.Age(plan.Time("createdAt"), now),
    ];

    private static string Why(IReadOnlyList<JsonObject> plans, int index) =>
        $"{JobViews.OneLine(plans[index].Text("cause", "message"))}{(Changed(plans, index) is { Count: > 0 } changed ? $"; changed: {string.Join(", ", changed)}" : "")}";

    /// <summary>The plans with what each changed and how its epoch ended, for programs.</summary>
    public static IEnumerable<JsonObject> WithOutcome(JsonObject job, IReadOnlyList<JsonObject> plans) => plans.Select((p, i) =>
    {
        var plan = p.DeepClone().AsObject();
        (plan["changed"], plan["outcome"]) = (new JsonArray([.. Changed(plans, i).Select(c => (JsonNode)c)]), Outcome(job, plans, p));
        return plan;
    });

    private static IReadOnlyList<string> Changed(IReadOnlyList<JsonObject> plans, int index) => index > 0 && Parse(plans[index - 1]) is { } before && Parse(plans[index]) is { } plan ? PlanDifference.Of(before, plan) : [];

    private static string Outcome(JsonObject job, IReadOnlyList<JsonObject> plans, JsonObject plan)
    {
        var next = plans.FirstOrDefault(p => p.Number("epoch") > plan.Number("epoch"));
        var phase = Enum.TryParse<JobPhase>(job.Text("status", "phase"), out var known) ? known : JobPhase.Pending;
        if (next is not null && Parse(next) is null) return next.Text("cause", "reason") ?? Show.Unknown;
        return EpochOutcome.Of(next is null ? null : Parse(next), (long?)next.Number(ParentStep), phase, (long)(job.Number("status", "step") ?? 0));
    }

    /// <summary>Null for a plan that another version of us wrote in another form.</summary>
    private static RunPlan? Parse(JsonObject plan)
    {
        try
        {
            return plan.Deserialize(ProtocolJson.Default.RunPlan);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public static string Checkpoints(JsonObject job, IEnumerable<JsonObject> plans, DateTimeOffset now)
    {
        var resumed = plans.Where(p => p.Number("revision") is 0 or null).Select(p => (Checkpoint: p.At("resume"), Epoch: Show.Whole(p.Number("epoch")))).Where(p => p.Checkpoint is not null).ToArray();
        var known = resumed.Select(p => p.Checkpoint!).Concat(new[] { job.At("status", "lastHealthyCheckpoint"), job.At("status", "lastCheckpoint") }.OfType<JsonNode>())
            .GroupBy(c => (c.Number("step"), c.Number("epoch"))).OrderBy(g => g.Key).ToArray();
        if (known.Length == 0) return "No checkpoint yet.\n";
        return Table.Of(["STEP", "EPOCH", "VERDICT", "AGE", "SIZE", "RESUMED BY", "LOCATION"], known.Select(g => (IReadOnlyList<string>)
        [
            Show.Whole(g.Key.Item1), Show.Whole(g.Key.Item2), g.Last().Text("verdict") ?? Show.Unknown, Show.Age(g.Select(c => c.Time("committedAt")).FirstOrDefault(t => t is not null), now),
            Show.Bytes(g.Select(c => c.Number("bytes")).FirstOrDefault(b => b > 0)), string.Join(',', resumed.Where(r => (r.Checkpoint.Number("step"), r.Checkpoint.Number("epoch")) == g.Key).Select(r => r.Epoch)) is { Length: > 0 } epochs ? epochs : Show.Unknown,
            g.Select(c => c.Text("location")).FirstOrDefault(l => l is not null) ?? Show.Unknown,
        ]));
    }

    /// <param name="nodes">Cluster nodes by name; empty when they may not be read.</param>
    public static string Nodes(JsonObject? plan, IEnumerable<JsonObject> pods, IReadOnlyDictionary<string, JsonObject> nodes, DateTimeOffset now)
    {
        var ranks = (plan?.Items("members") ?? []).Select((m, i) => (Uid: m.Text("podUid"), Rank: i)).ToDictionary(m => m.Uid ?? "", m => m.Rank);
        var perMember = plan.Number("workersPerMember") ?? 1;
        var rows = pods.Select(p => (Pod: p, Rank: ranks.TryGetValue(p.Text("metadata", "uid") ?? "", out var rank) ? rank : int.MaxValue)).OrderBy(p => p.Rank).ThenBy(p => p.Pod.Name(), StringComparer.Ordinal);
        return Table.Of(["NODE", "POD", "ROLE", "RANKS", "PHASE", "RESTARTS", "AGE", "NODE STATE"], rows.Select(row =>
        {
            var node = row.Pod.Text("spec", "nodeName");
            return (IReadOnlyList<string>)
            [
                node ?? Show.Unknown, row.Pod.Name(), row.Rank == int.MaxValue ? "spare" : "member", row.Rank == int.MaxValue ? Show.Unknown : perMember == 1 ? $"{row.Rank}" : $"{row.Rank * perMember}-{(row.Rank + 1) * perMember - 1}",
                row.Pod.At("metadata", "deletionTimestamp") is null ? row.Pod.Text("status", "phase") ?? "Pending" : "Terminating", Show.Whole(row.Pod.Items("status", "containerStatuses").Sum(c => c.Number("restartCount") ?? 0)),
                Show.Age(row.Pod.Time("metadata", "creationTimestamp"), now), node is not null && nodes.TryGetValue(node, out var found) ? State(found) : Show.Unknown,
            ];
        }).Concat(nodes.Values.Where(n => Reason(n) is not null && pods.All(p => p.Text("spec", "nodeName") != n.Name())).Select(n => (IReadOnlyList<string>)
            [n.Name(), Show.Unknown, Show.Unknown, Show.Unknown, Show.Unknown, Show.Unknown, Show.Age(n.Time("metadata", "creationTimestamp"), now), State(n)])));
    }

    private static string State(JsonObject node)
    {
        var ready = node.Items("status", "conditions").Any(c => c.Text("type") == "Ready" && c.Text("status") == "True") ? "Ready" : "NotReady";
        var state = node.Flag("spec", "unschedulable") ? $"{ready},SchedulingDisabled" : ready;
        return Reason(node) is { } reason ? $"{state},Quarantined({reason})" : state;
    }

    private static string? Reason(JsonObject node) => node.Text("metadata", "labels", Cluster.JobCluster.QuarantinedLabel);
}
