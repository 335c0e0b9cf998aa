using System.Collections.Concurrent;
using System.Text;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Kubernetes;
using Opt.Operator.Agents;
using Opt.Operator.Cluster;
using Opt.Operator.Rendering;

namespace Opt.Operator.Dashboard.Curves;

/// <summary>
/// Reads step records and catalogues for the curves, in every replica and apart from reconciling: a page must not need the leader, and a
/// decision must not wait for a page. It only ever reads.
/// </summary>
internal sealed class CurveCollector(OperatorInformers informers, KubernetesClient client, IAgentClient agents, int agentPort, TimeProvider clock)
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(3), Wait = TimeSpan.FromSeconds(15), CataloguePeriod = TimeSpan.FromSeconds(30);
    private readonly ResourceClient<V1Secret> _secrets = client.Resource(Resources.Secrets);
    private readonly PlanReader _plans = new();
    private readonly ConcurrentDictionary<string, StepColumns> _curves = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, EquatableList<CheckpointSummary>> _checkpoints = new(StringComparer.Ordinal);

    /// <summary>The curves of a job by uid; empty ones when nothing has been read.</summary>
    public StepColumns Curves(string uid) => _curves.GetValueOrDefault(uid) ?? new();

    /// <summary>The store's checkpoints as rank 0's agent last reported them.</summary>
    public EquatableList<CheckpointSummary> Checkpoints(string uid) => _checkpoints.GetValueOrDefault(uid) ?? [];

    /// <summary>Run plans of a job, oldest first.</summary>
    public IReadOnlyList<RunPlan> Plans(string @namespace, string name, string uid) => [.. informers.Plans.Snapshot.By(Names.JobLabel, name)
        .Where(m => m.Metadata.Namespace == @namespace).Select(m => _plans.Read(m, uid)?.Plan).OfType<RunPlan>().OrderBy(p => (p.Epoch, p.Revision))];

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
            _curves.TryRemove(uid, out _);
            _checkpoints.TryRemove(uid, out _);
        }
    }

    private async Task FollowAsync(ObjectKey job, string uid, CancellationToken ct)
    {
        var columns = _curves.GetOrAdd(uid, _ => new());
        var (epoch, after, catalogued) = (0L, 0L, DateTimeOffset.MinValue);
        while (!ct.IsCancellationRequested)
        {
            try
            {
                if (await TargetAsync(job, uid, ct) is not { } rankZero)
                {
                    await Task.Delay(Period, clock, ct);
                    continue;
                }

                if (rankZero.Epoch != epoch) (epoch, after) = (rankZero.Epoch, 0);
                if (clock.GetUtcNow() - catalogued >= CataloguePeriod) (_checkpoints[uid], catalogued) = ((await agents.GetCatalogueAsync(rankZero.Target, ct)).Checkpoints, clock.GetUtcNow());
                var page = await agents.GetStepsAsync(rankZero.Target, epoch, after, Wait, ct);
                if (page.Epoch == epoch) after = page.Next;
                foreach (var record in page.Records) columns.Add(record);
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

    private async Task<(AgentTarget Target, long Epoch)?> TargetAsync(ObjectKey job, string uid, CancellationToken ct)
    {
        if (Plans(job.Namespace!, job.Name, uid) is not [.., var plan]) return null;
        var pod = informers.Pods.Snapshot.By(Names.JobLabel, job.Name).FirstOrDefault(p => p.Metadata.Uid == plan.Members[0].PodUid);
        if (pod?.Status?.PodIP is not { Length: > 0 } ip || pod.Status.Phase != "Running") return null;
        var secret = await _secrets.FindAsync(new(job.Namespace, Names.Secret(job.Name)), ct);
        return secret?.Data?.GetValueOrDefault(Names.TokenKey) is { } token ? (new(pod.Metadata.Name!, pod.Metadata.Uid!, ip, agentPort, Encoding.UTF8.GetString(token)), plan.Epoch) : null;
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
