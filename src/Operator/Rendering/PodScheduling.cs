using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;

namespace Opt.Operator.Rendering;

/// <summary>Pod groups and racks, as the job asks for them.</summary>
internal static class PodScheduling
{
    /// <summary>Kueue admits a StatefulSet that carries it; it wants it on the set alone and labels the pods itself.</summary>
    public const string QueueLabel = "kueue.x-k8s.io/queue-name";

    public static void Apply(OptTrainingJob job, JsonObject template)
    {
        if (job.Spec.Pod.Scheduling is not { } scheduling) return;
        if (scheduling.Gang is { } gang) Join(gang, template);
        if (scheduling.Rack is { } rack) Place(job, rack, template["spec"]!.AsObject());
    }

    private static void Join(GangSpec gang, JsonObject template)
    {
        var (metadata, spec) = (template["metadata"]!, template["spec"]!);
        switch (gang.Scheduler)
        {
            case GangScheduler.Native:
                spec["schedulingGroup"] = new JsonObject { ["podGroupName"] = gang.Group };
                break;
            case GangScheduler.Volcano:
                spec["schedulerName"] = "volcano";
                metadata["annotations"]!["scheduling.k8s.io/group-name"] = gang.Group;
                break;
            case GangScheduler.Coscheduling:
                spec["schedulerName"] = "scheduler-plugins-scheduler";
                metadata["labels"]!["scheduling.x-k8s.io/pod-group"] = gang.Group;
                break;
        }
    }

    /// <summary>Preferences only: a member that cannot be placed well is better placed than not.</summary>
    private static void Place(OptTrainingJob job, RackSpec rack, JsonObject spec)
    {
        var selector = new JsonObject { ["matchLabels"] = new JsonObject { [Names.JobLabel] = job.Metadata.Name } };
        if (rack.Placement is RackPlacement.Spread)
        {
            spec["topologySpreadConstraints"] = new JsonArray(new JsonObject { ["maxSkew"] = 1, ["topologyKey"] = rack.Label, ["whenUnsatisfiable"] = "ScheduleAnyway", ["labelSelector"] = selector });
            return;
        }

        spec["affinity"] = new JsonObject
        {
            ["podAffinity"] = new JsonObject
            {
                ["preferredDuringSchedulingIgnoredDuringExecution"] = new JsonArray(new JsonObject
                {
                    ["weight"] = 100,
                    ["podAffinityTerm"] = new JsonObject { ["labelSelector"] = selector, ["topologyKey"] = rack.Label },
                }),
            },
        };
    }
}
