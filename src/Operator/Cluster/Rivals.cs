using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Jobs;
using Opt.Operator.Rendering;
using Opt.Planning;

namespace Opt.Operator.Cluster;

/// <summary>Which other jobs wait for machines while they hold some, as far as this operator sees.</summary>
internal static class Rivals
{
    /// <param name="set">The job's own StatefulSet.</param>
    public static IEnumerable<Rival> Of(OperatorInformers informers, OptTrainingJob job, V1StatefulSet? set)
    {
        // Only a job that is short of machines itself needs to know: the others need not look at all jobs in every pass.
        var isShort = job.Status?.Conditions.Any(c => c is { Type: ConditionTypes.MembersPlaced, Status: "False" }) == true;
        if (!isShort && set?.Metadata.Annotations?.ContainsKey(Names.ReleaseAnnotation) != true) yield break;
        foreach (var other in informers.Jobs.Snapshot.Items.Where(j => j.Metadata.Uid != job.Metadata.Uid && j.Metadata.DeletionTimestamp is null))
        {
            if (!IsWaiting(other)) continue;
            var held = OperatorInformers.OfJob(informers.Pods, other.Metadata.Namespace, other.Metadata.Name!)
                .Where(p => p.Metadata.DeletionTimestamp is null && p is { Spec.NodeName.Length: > 0, Status.Phase: "Pending" or "Running" }).ToArray();
            if (held.Length > 0) yield return new(other.Key.ToString(), other.Metadata.Uid!, held.Max(p => p.Spec!.Priority ?? 0), other.Metadata.CreationTimestamp ?? DateTimeOffset.MinValue);
        }
    }

    /// <summary>An unmanaged job releases nothing, however long it waits.</summary>
    private static bool IsWaiting(JobObject job) => (string?)job.Spec?["managementState"] != nameof(ManagementState.Unmanaged)
        && job.Status?["conditions"] is JsonArray conditions && conditions.OfType<JsonObject>()
            .Any(c => (string?)c["type"] == ConditionTypes.MembersPlaced && (string?)c["status"] == "False" && (string?)c["reason"] == Placement.Waiting);
}
