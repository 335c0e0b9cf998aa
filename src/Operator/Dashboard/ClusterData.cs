using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Cluster;
using Opt.Operator.Dashboard.Curves;
using Opt.Operator.Jobs;
using Opt.Operator.Rendering;
using Opt.Planning;

namespace Opt.Operator.Dashboard;

/// <summary>What the operator's local copies hold, for the pages. No request leaves the process.</summary>
internal sealed class ClusterData(OperatorInformers informers, CurveCollector collector) : IDashboardData
{
    private static readonly string[] SummaryFields =
        ["phase", "step", "totalSteps", "tokens", "loss", "learningRate", "lossScale", "gradientNorm", "tokensPerSecond", "stepSeconds", "epoch", "nodes", "restarts", "goodput", "lastCheckpoint", "lastHealthyCheckpoint", "startTime"];

    public IReadOnlyList<JobPage> Jobs() => [.. informers.Jobs.Snapshot.Items
        .OrderBy(j => j.Metadata.Namespace, StringComparer.Ordinal).ThenBy(j => j.Metadata.Name, StringComparer.Ordinal)
        .Select(j => new JobPage(j.Metadata.Namespace!, j.Metadata.Name!, j.Metadata.Uid!, Summary(j)))];

    public JsonObject? Detail(string @namespace, string name)
    {
        if (informers.Jobs.Snapshot.Find(new(@namespace, name)) is not { } job) return null;
        var stored = collector.Plans(@namespace, name, job.Metadata.Uid!);
        RunPlan[] plans = [.. stored.Select(p => p.Plan)];
        var detail = Summary(job);
        detail["conditions"] = job.Status?["conditions"]?.DeepClone();
        detail["logbook"] = job.Status?["logbook"]?.DeepClone();
        detail["lineage"] = new JsonArray([.. stored.Select((_, i) => Launch(stored, i, job))]);
        detail["checkpoints"] = Checkpoints(job, plans);
        detail["nodeMap"] = NodeMap(job, plans is [.., var newest] ? newest : null);
        return detail;
    }

    public RunRecord Record(string uid) => collector.Record(uid);

    private static JsonObject Summary(JobObject job)
    {
        var summary = new JsonObject { ["namespace"] = job.Metadata.Namespace, ["name"] = job.Metadata.Name, ["uid"] = job.Metadata.Uid, ["created"] = job.Metadata.CreationTimestamp, ["suspend"] = job.Spec?["suspend"]?.DeepClone() };
        foreach (var field in SummaryFields) summary[field] = job.Status?[field]?.DeepClone();
        return summary;
    }

    private static JsonObject Launch(IReadOnlyList<StoredPlan> plans, int index, JobObject job)
    {
        var plan = plans[index].Plan;
        return new JsonObject
        {
            ["epoch"] = plan.Epoch,
            ["revision"] = plan.Revision,
            ["parent"] = plan.ParentEpoch,
            ["created"] = plan.CreatedAt,
            ["reason"] = plan.Cause.Reason,
            ["message"] = plan.Cause.Message,
            ["node"] = plan.Cause.Node,
            ["members"] = plan.Members.Count,
            ["resume"] = plan.Resume is { } resume ? new JsonObject { ["step"] = resume.Step, ["epoch"] = resume.Epoch } : null,
            ["changed"] = new JsonArray([.. PlanDifference.Of(index == 0 ? null : plans[index - 1].Plan, plan).Select(c => (JsonNode)c)]),
            ["outcome"] = Outcome(plans.FirstOrDefault(p => p.Plan.Epoch > plan.Epoch), job),
        };
    }

    private static string Outcome(StoredPlan? next, JobObject job)
    {
        var status = job.ReadStatus();
        return EpochOutcome.Of(next?.Plan, next?.ParentStep, status?.Phase ?? JobPhase.Pending, status?.Step ?? 0);
    }

    /// <summary>The store's catalogue as an agent told it last, and of the status what is newer: the last save of a run comes when agents leave.</summary>
    private JsonArray Checkpoints(JobObject job, IReadOnlyList<RunPlan> plans)
    {
        var catalogue = collector.Record(job.Metadata.Uid!).Checkpoints;
        var resumedBy = plans.Where(p => p.Resume is not null).ToLookup(p => (p.Resume!.Step, p.Resume.Epoch), p => p.Epoch);
        var newer = new[] { job.Status?["lastHealthyCheckpoint"], job.Status?["lastCheckpoint"] }.OfType<JsonNode>()
            .Where(c => catalogue.All(k => k.Step != (long?)c["step"] || k.Epoch != (long?)c["epoch"])).DistinctBy(c => ((long?)c["step"], (long?)c["epoch"])).Select(c => c.DeepClone());
        return [.. catalogue.OrderBy(c => c.Entry).Select(c => (JsonNode)new JsonObject
        {
            ["step"] = c.Step,
            ["epoch"] = c.Epoch,
            ["committedAt"] = c.CommittedAt,
            ["bytes"] = c.Bytes,
            ["location"] = c.Path,
            ["verdict"] = JsonSerializer.SerializeToNode(c.Verdict, SpecJson.Default.HealthVerdict),
            ["pinned"] = c.Pinned,
            ["resumedBy"] = new JsonArray([.. resumedBy[(c.Step, c.Epoch)].Distinct().Select(e => (JsonNode)e)]),
        }), .. newer];
    }

    private JsonArray NodeMap(JobObject job, RunPlan? plan)
    {
        var ranks = plan?.Members.Select((m, i) => (m.PodUid, Rank: i)).ToDictionary(m => m.PodUid, m => m.Rank) ?? [];
        var nodes = informers.Nodes.Snapshot.Items.ToDictionary(n => n.Metadata.Name!, StringComparer.Ordinal);
        var pods = OperatorInformers.OfJob(informers.Pods, job.Metadata.Namespace, job.Metadata.Name!).ToArray();
        var map = pods.Select(p => Node(p.Spec?.NodeName, p.Metadata.Name, ranks.TryGetValue(p.Metadata.Uid!, out var rank) ? rank : null, p.Status?.Phase));
        var aside = nodes.Values.Where(n => n.Metadata.Labels?.ContainsKey(Names.QuarantinedLabel) == true && pods.All(p => p.Spec?.NodeName != n.Metadata.Name)).Select(n => Node(n.Metadata.Name, null, null, null));
        return new([.. map.Concat(aside).OrderBy(n => (int?)n["rank"] ?? int.MaxValue).ThenBy(n => (string?)n["node"], StringComparer.Ordinal)]);

        JsonObject Node(string? name, string? pod, int? rank, string? phase)
        {
            var known = name is not null && nodes.TryGetValue(name, out var node) ? NodeReader.Read(node) : null;
            return new()
            {
                ["node"] = name, ["pod"] = pod, ["rank"] = rank, ["phase"] = phase,
                ["role"] = known?.Quarantine is not null ? "quarantined" : rank is not null ? "member" : "spare",
                ["ready"] = known?.Ready, ["quarantine"] = known?.Quarantine?.Reason,
            };
        }
    }
}
