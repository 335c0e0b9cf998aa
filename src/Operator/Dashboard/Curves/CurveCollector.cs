using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Agents;
using Opt.Operator.Cluster;
using Opt.Operator.Jobs;
using Opt.Operator.Rendering;
using Opt.Planning;

namespace Opt.Operator.Dashboard.Curves;

/// <summary>
/// Reads step records, catalogues and logbooks for the pages, in every replica and apart from reconciling: a page must not need the leader, and a
/// decision must not wait for a page. It only ever reads.
/// </summary>
internal sealed class CurveCollector(OperatorInformers informers, KubernetesClient client, IAgentClient agents, int agentPort, TimeProvider clock)
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(3), Wait = TimeSpan.FromSeconds(15), CataloguePeriod = TimeSpan.FromSeconds(30), PastAgain = TimeSpan.FromMinutes(5);
    private readonly ResourceClient<V1Secret> _secrets = client.Resource(Resources.Secrets);
    private readonly PlanReader _plans = new();
    private readonly ConcurrentDictionary<string, RunRecord> _records = new(StringComparer.Ordinal);

    /// <summary>What has been read of a job by uid; empty when nothing has.</summary>
    public RunRecord Record(string uid) => _records.GetValueOrDefault(uid) ?? new();

    /// <summary>Run plans of a job, oldest first.</summary>
    public IReadOnlyList<StoredPlan> Plans(string @namespace, string name, string uid) => [.. OperatorInformers.OfJob(informers.Plans, @namespace, name)
        .Select(m => _plans.Read(m, uid)).OfType<StoredPlan>().OrderBy(p => (p.Plan.Epoch, p.Plan.Revision))];

    /// <summary>Follows every job until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        var following = new Dictionary<string, (Task Task, CancellationTokenSource Stop)>(StringComparer.Ordinal);
        try
        {
            while (true)
            {
                var jobs = informers.Jobs.Snapshot.Items.Where(j => j.Metadata.Uid is not null).ToDictionary(j => j.Metadata.Uid!, StringComparer.Ordinal);
                foreach (var uid in following.Keys.Except(jobs.Keys).ToArray()) await StopAsync(uid);
                foreach (var (uid, job) in jobs.Where(j => !following.ContainsKey(j.Key)))
                {
                    var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
                    following[uid] = (FollowAsync(job.Key, uid, stop.Token), stop);
                }

                await Task.Delay(Period, clock, ct);
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // stopping is not an error
        }
        finally
        {
            foreach (var uid in following.Keys.ToArray()) await StopAsync(uid);
        }

        async Task StopAsync(string uid)
        {
            await following[uid].Stop.CancelAsync();
            await following[uid].Task;
            following[uid].Stop.Dispose();
            following.Remove(uid);
            _records.TryRemove(uid, out _);
        }
    }

    private async Task FollowAsync(ObjectKey job, string uid, CancellationToken ct)
    {
        var record = _records.GetOrAdd(uid, _ => new());
        var (epoch, after, catalogued, pastAt) = (0L, 0L, DateTimeOffset.MinValue, DateTimeOffset.MinValue);
        while (!ct.IsCancellationRequested)
        {
            try
            {
                record.Note(InStatus(job));
                if (await TargetAsync(job, uid, ct) is not { } rankZero)
                {
                    await Task.Delay(Period, clock, ct);
                    continue;
                }

                if (rankZero.Epoch != epoch) (epoch, after) = (rankZero.Epoch, 0);
                if (clock.GetUtcNow() - catalogued >= CataloguePeriod) (record.Checkpoints, catalogued) = ((await agents.GetCatalogueAsync(rankZero.Target, ct)).Checkpoints, clock.GetUtcNow());
                if (!record.IsWhole && clock.GetUtcNow() >= pastAt)
                {
                    pastAt = clock.GetUtcNow() + PastAgain;
                    after = await ReadPastAsync(record, rankZero.Target, epoch, ct);
                }

                var page = await agents.GetStepsAsync(rankZero.Target, epoch, after, Wait, ct);
                if (page.Epoch == epoch) after = page.Next;
                var columns = record.Columns;
                foreach (var step in page.Records) columns.Add(step);
                if (page.Records.Count == 0) await Task.Delay(TimeSpan.FromSeconds(1), clock, ct);
            }
            catch (Exception e) when (e is AgentException or KubernetesException)
            {
                if (await CancelledAsync(Period, ct)) return;   // an agent that is launching or gone; the reconciler tells of it
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>What happened before this operator looked: an agent reads it out of the store.</summary>
    private async Task<long> ReadPastAsync(RunRecord record, AgentTarget target, long epoch, CancellationToken ct)
    {
        record.Note((await agents.GetLogbookAsync(target, ct)).Entries);
        var columns = new StepColumns();
        record.Begin(columns);
        var after = await PastReader.ReadAsync(columns, agents, target, epoch, ct);
        record.Complete(columns);
        return after;
    }

    /// <summary>The newest entries, which the status holds.</summary>
    private IReadOnlyList<LogbookEntry> InStatus(ObjectKey job)
    {
        if (informers.Jobs.Snapshot.Find(job)?.Status?["logbook"] is not JsonArray entries) return [];
        try
        {
            return [.. entries.Select(e => e.Deserialize(ProtocolJson.Default.LogbookEntry)).OfType<LogbookEntry>()];
        }
        catch (JsonException)
        {
            return [];   // written by an operator of another version; the store's copy will do
        }
    }

    private async Task<(AgentTarget Target, long Epoch)?> TargetAsync(ObjectKey job, string uid, CancellationToken ct)
    {
        if (Plans(job.Namespace!, job.Name, uid) is not [.., { Plan: var plan }]) return null;
        var pod = OperatorInformers.OfJob(informers.Pods, job.Namespace, job.Name).FirstOrDefault(p => p.Metadata.Uid == plan.Members[0].PodUid);
        if (pod?.Status is not { PodIP.Length: > 0, Phase: "Running" }) return null;
        var secret = await _secrets.FindAsync(new(job.Namespace, Names.Secret(job.Name)), ct);
        return secret is not null && AgentSecret.Read(secret) is { } known ? (Observer.Target(pod, agentPort, known, former: null), plan.Epoch) : null;
    }

    private async Task<bool> CancelledAsync(TimeSpan delay, CancellationToken ct)
    {
        try
        {
            await Task.Delay(delay, clock, ct);
            return false;
        }
        catch (OperationCanceledException)
        {
            return true;
        }
    }
}
