using System.Globalization;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Cluster;
using Opt.Operator.Rendering;
using Opt.Planning;

namespace Opt.Operator.Jobs;

/// <summary>
/// Keeps the plans of a job one line, each made by somebody who knew the one before. The name of a plan is taken once, so nobody makes a second one of a
/// revision. But an operator that leads anew may not have seen what the last leader wrote; and the store may be fenced past an epoch without plan: who fenced died before
/// it wrote one, or was stopped there and will go on. So the API server is asked for the newest plan, and the names in between are taken too: whoever comes first.
/// </summary>
internal sealed class PlanLine(KubernetesClient client)
{
    /// <summary>Names taken at most. Each stands for an operator that stopped between its fence and its plan; there are no more of them than replicas.</summary>
    private const int Most = 8;

    /// <param name="newestCommit">The newest epoch that committed to the store; those up to it that are not this job's own were another cluster's.</param>
    /// <exception cref="OvertakenException">There is a plan that was not seen.</exception>
    public async Task ContinueAsync(OptTrainingJob job, CreatePlan action, long newestCommit, CancellationToken ct)
    {
        var (plan, maps) = (action.Plan, client.Resource(Resources.ConfigMaps));
        var all = await maps.ListAsync(job.Metadata.Namespace, new() { LabelSelector = $"{Names.JobLabel}={job.Metadata.Name},{Names.EpochLabel}" }, ct);
        var mine = all.Items.Where(m => m.Metadata.ControllerOwner()?.Uid == job.Metadata.Uid).ToArray();
        var newest = mine.Where(IsPlan).Select(IdOf).DefaultIfEmpty().Max();
        if (newest.CompareTo(action.Parent) > 0) throw Overtaken(plan, newest.Epoch, newest.Revision);
        var taken = mine.Select(m => IdOf(m).Epoch).ToHashSet();
        for (var epoch = plan.Epoch - 1; epoch > action.Parent.Epoch && epoch > newestCommit && epoch >= plan.Epoch - Most; epoch--)
        {
            if (!taken.Contains(epoch)) await TakeAsync(maps, job, plan, epoch, ct);
        }
    }

    private static async Task TakeAsync(ResourceClient<V1ConfigMap> maps, OptTrainingJob job, RunPlan plan, long epoch, CancellationToken ct)
    {
        try
        {
            await maps.CreateAsync(OwnedObjects.SkippedEpoch(job, plan, epoch), ct);
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            throw Overtaken(plan, epoch, revision: 0);
        }
    }

    private static (long Epoch, int Revision) IdOf(V1ConfigMap map) =>
        (long.Parse(map.Metadata.Labels![Names.EpochLabel], CultureInfo.InvariantCulture), int.Parse(map.Metadata.Labels[Names.RevisionLabel], CultureInfo.InvariantCulture));

    private static OvertakenException Overtaken(RunPlan plan, long epoch, int revision) => new($"plan {epoch}.{revision} is there already and was not seen yet when plan {plan.Epoch}.{plan.Revision} was decided");

    private static bool IsPlan(V1ConfigMap map) => map.Data?.ContainsKey(Names.PlanKey) is true;
}

/// <summary>What was decided was decided from old copies; the next pass has newer ones.</summary>
internal sealed class OvertakenException(string message) : Exception(message);
