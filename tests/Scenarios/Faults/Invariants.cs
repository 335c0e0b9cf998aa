using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster.ApiServer;
using Opt.Planning;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios.Faults;

/// <summary>What must hold whatever happened, looked up in the API server, at the agents and on the wire. Numbers are those of the design's list.</summary>
internal sealed class Invariants(Scenario world, People people)
{
    private readonly SortedDictionary<(long Epoch, int Revision), (string Text, RunPlan Plan)> _plans = [];
    private readonly Dictionary<string, string> _logbook = [];
    private readonly HashSet<(string Uid, string Identity)> _entries = [];
    private readonly StoreInvariants _store = new(world);

    /// <summary>The look at which an epoch's plan was first seen, and the last at which a job was.</summary>
    private readonly Dictionary<long, int> _firstLook = [];
    private readonly Dictionary<string, int> _lastLook = new(StringComparer.Ordinal);
    private int _looks;

    public IReadOnlyList<RunPlan> Plans => [.. _plans.Values.Select(p => p.Plan)];

    public async Task CheckAsync()
    {
        _looks++;
        foreach (var map in await world.ListAsync(new("", "v1", "configmaps"))) Plan(map);
        var job = await world.Api.GetAsync(Scenario.Jobs, "ml", "opt", TestContext.Current.CancellationToken);
        _lastLook[(string)job["metadata"]!["uid"]!] = _looks;
        var status = job["status"]?.Deserialize(SpecJson.Default.OptTrainingJobStatus) ?? new();
        foreach (var entry in status.Logbook) _entries.Add(((string)job["metadata"]!["uid"]!, entry.Identity()));
        Status(status);
        Writes();
        await NodesAsync();
        await _store.CheckAsync(status);
    }

    /// <summary>For the end: everything that was done can be read somewhere, and what the status of this job ever told is in its pages (8).</summary>
    public async Task CheckLogbookAsync()
    {
        var job = await world.Api.GetAsync(Scenario.Jobs, "ml", "opt", TestContext.Current.CancellationToken);
        var pages = (await world.ListAsync(new("", "v1", "configmaps"))).Where(m => m["metadata"]!["labels"]?[LogbookPages.Label] is not null && (string?)m["metadata"]!["ownerReferences"]?[0]?["uid"] == (string)job["metadata"]!["uid"]!);
        var entries = pages.SelectMany(p => LogbookPages.Read((string)p["data"]![LogbookPages.Key]!)).DistinctBy(e => e.Identity()).ToArray();
        var known = entries.Select(e => e.Identity()).ToHashSet(StringComparer.Ordinal);
        foreach (var (_, identity) in _entries.Where(e => e.Uid == (string)job["metadata"]!["uid"]!)) Holds(known.Contains(identity), 8, $"the pages lack \"{identity}\"");
        foreach (var twice in entries.Where(e => e.What.StartsWith("launched epoch ", StringComparison.Ordinal)).GroupBy(e => e.Epoch).Where(g => g.Count() > 1)) Holds(false, 8, $"the launch of epoch {twice.Key} is in the pages more than once");
        // A cluster that is lost right after a plan takes it along: nobody had the time to tell the store of it.
        foreach (var plan in Plans.Where(p => p.Revision == 0 && (p.JobUid == (string)job["metadata"]!["uid"]! || _firstLook[p.Epoch] < _lastLook[p.JobUid]))) Holds(_logbook.Keys.Concat(world.Agents.Logbook.Values.Select(e => e.What)).Any(what => what.StartsWith($"launched epoch {plan.Epoch} ", StringComparison.Ordinal)), 8, $"epoch {plan.Epoch} is in no logbook");
    }

    private void Plan(JsonObject map)
    {
        if ((string?)map["data"]?["plan.json"] is not { } text) return;
        var plan = JsonSerializer.Deserialize(text, ProtocolJson.Default.RunPlan)!;
        var id = (plan.Epoch, plan.Revision);
        if (_plans.TryGetValue(id, out var known))
        {
            Holds(known.Text == text, 4, $"plan {id} changed after it was made");
            return;
        }

        Holds(_plans.Count == 0 || _plans.Keys.Last().CompareTo(id) < 0, 4, $"plan {id} was made after {(_plans.Count == 0 ? default : _plans.Keys.Last())}");
        Holds(_plans.Values.All(p => (p.Plan.JobUid, p.Plan.Cause.Id) != (plan.JobUid, plan.Cause.Id)), 5, $"a second plan for the cause {plan.Cause.Id}:\n{string.Join('\n', _plans.Values.Select(p => p.Plan).Append(plan).Select(Short))}");
        Holds(!people.Invalid.Contains((plan.JobUid, plan.SpecGeneration)), 10, $"plan {id} was made from generation {plan.SpecGeneration} of the spec, which is not valid");
        if (plan.Revision == 0) Launch(plan);
        _firstLook.TryAdd(plan.Epoch, _looks);
        Budgets(plan);
        _plans.Add(id, (text, plan));
    }

    private static string Short(RunPlan plan) => $"plan {plan.Epoch}.{plan.Revision} at {plan.CreatedAt:HH:mm:ss.fff} of {plan.JobUid} on {string.Join(", ", plan.Members.Select(m => $"{m.PodUid} ({m.Node})"))}: {plan.Cause.Id}: {plan.Cause.Message}";

    private void Launch(RunPlan plan)
    {
        Holds(world.Agents.Behind.ContainsKey(plan.Epoch), 1, $"epoch {plan.Epoch} was planned without a fence");
        Holds(plan.Resume?.Step == world.Agents.Behind[plan.Epoch], _plans.Values.Any(p => p.Plan.JobUid == plan.JobUid) ? 1 : 11, $"epoch {plan.Epoch} goes on from step {plan.Resume?.Step}, behind its fence was step {world.Agents.Behind[plan.Epoch]}");
        Holds(plan.Members.Select(m => m.PodUid).Distinct().Count() == plan.Members.Count, 4, $"a pod holds two rank blocks in epoch {plan.Epoch}");
        Holds(plan.Members.Select(m => m.Node).Distinct().Count() == plan.Members.Count, 4, $"two members share a node in epoch {plan.Epoch}");
        _store.Resumes(plan);
        if (_plans.Values.LastOrDefault().Plan is not { } before) return;
        foreach (var (member, rank) in before.Members.Select((m, i) => (m, i)))
        {
            var now = plan.Members.Select((m, i) => (m, i)).Where(m => m.m.PodUid == member.PodUid).Select(m => (int?)m.i).FirstOrDefault();
            Holds(now is null || now == rank, 4, $"{member.Pod} survived epoch {before.Epoch} and changed its rank");
        }
    }

    private static void Budgets(RunPlan plan)
    {
        foreach (var (budget, limit, window) in new[] { ("relaunchInPlace", 20, TimeSpan.FromMinutes(30)), ("replaceNode", 24, TimeSpan.FromDays(1)) })
        {
            Holds(plan.Budgets.Count(u => u.Budget == budget && plan.CreatedAt - u.At < window) <= limit, 6, $"{budget} is over its limit in epoch {plan.Epoch}");
        }
    }

    private void Status(OptTrainingJobStatus status)
    {
        foreach (var entry in status.Logbook) _logbook[entry.What] = entry.Why;
        if (status.Phase is JobPhase.Pending && status.Conditions.Count == 0) return;
        Holds(status.Conditions.Select(c => c.Type).SequenceEqual(ConditionTypes.All), 10, "a condition is missing");
        Holds(status.Logbook.Count <= 20, 8, "the logbook in status has more than 20 entries");
        Holds(JsonSerializer.SerializeToUtf8Bytes(status, SpecJson.Default.OptTrainingJobStatus).Length < 64 * 1024, 8, "the status is over 64 KB");
        Holds(status.Epoch <= (_plans.Count == 0 ? 0 : _plans.Keys.Last().Epoch), 4, $"the status tells of epoch {status.Epoch}, which has no plan");
        var proven = status.Conditions.First(c => c.Type == ConditionTypes.SpecInForce) is { Status: "True", Reason: "Reported" };
        Holds(!proven || _plans.ContainsKey((status.Epoch, status.Revision)), 9, $"revision {status.Revision} of epoch {status.Epoch} is said to be in force and has no plan");
    }

    private void Writes() => Holds(world.Audit.Broken.Count == 0, 7, string.Join("\n", world.Audit.Broken.Take(3)));

    private async Task NodesAsync()
    {
        var nodes = await world.ListAsync(ResourceId.Nodes, null);
        var quarantined = nodes.Where(n => n["metadata"]!["labels"]?["training.opt-operator.io/quarantined"] is not null).ToArray();
        Holds(quarantined.Length <= new QuarantineBreaker().Room(nodes.Count, 0), 6, $"{quarantined.Length} of {nodes.Count} nodes are quarantined");
        foreach (var node in quarantined) Holds((bool?)node["spec"]?["unschedulable"] == true, 7, $"{node["metadata"]!["name"]} is labelled and not cordoned");
    }

    internal static void Holds(bool holds, int invariant, string otherwise)
    {
        if (!holds) throw new InvalidOperationException($"invariant {invariant} is broken: {otherwise}");
    }
}
