using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;

namespace Opt.Operator.Rendering;

/// <summary>The objects a job owns, as the fields the operator applies or creates.</summary>
internal static class OwnedObjects
{
    public static JsonObject Labels(OptTrainingJob job) => new()
    {
        ["app.kubernetes.io/name"] = "opt-trainer",
        ["app.kubernetes.io/instance"] = job.Metadata.Name,
        ["app.kubernetes.io/managed-by"] = "opt-operator",
        [Names.JobLabel] = job.Metadata.Name,
    };

    /// <summary>Headless, so that pods have stable names; it also publishes pods that are not ready: an agent must be reachable before it is.</summary>
    public static JsonObject Service(OptTrainingJob job) => Object(job, "v1", "Service", job.Metadata.Name, new()
    {
        ["clusterIP"] = "None",
        ["publishNotReadyAddresses"] = true,
        ["selector"] = Selector(job),
        ["ports"] = new JsonArray(new JsonObject { ["name"] = "agent", ["port"] = Names.AgentPort, ["protocol"] = "TCP", ["targetPort"] = "agent" }),
    });

    /// <summary>Every eviction gets 429: the operator itself moves members.</summary>
    public static JsonObject DisruptionBudget(OptTrainingJob job) => Object(job, "policy/v1", "PodDisruptionBudget", job.Metadata.Name, new()
    {
        ["maxUnavailable"] = 0,
        ["selector"] = new JsonObject { ["matchLabels"] = Selector(job) },
    });

    public static JsonObject StatefulSet(OptTrainingJob job, int replicas, string podDigest)
    {
        var set = Object(job, "apps/v1", "StatefulSet", job.Metadata.Name, new()
        {
            ["serviceName"] = job.Metadata.Name,
            ["replicas"] = replicas,
            ["podManagementPolicy"] = "Parallel",
            ["updateStrategy"] = new JsonObject { ["type"] = "OnDelete" },
            ["revisionHistoryLimit"] = 3,
            ["selector"] = new JsonObject { ["matchLabels"] = Selector(job) },
            ["template"] = PodTemplate.Render(job),
        });
        if (job.Spec.Pod.Scheduling?.Queue is { } queue) set["metadata"]!["labels"]![PodScheduling.QueueLabel] = queue;
        set["metadata"]!["annotations"] = new JsonObject { [Names.PodDigestAnnotation] = podDigest };
        return set;
    }

    /// <summary>Not immutable: kubelets bring no new content of an immutable Secret to running pods, and people may want another token.</summary>
    public static JsonObject Secret(OptTrainingJob job, AgentSecret content)
    {
        var secret = Object(job, "v1", "Secret", Names.Secret(job.Metadata.Name), spec: null);
        secret["type"] = "Opaque";
        secret["data"] = new JsonObject(content.Data.Select(d => KeyValuePair.Create(d.Key, (JsonNode?)Convert.ToBase64String(d.Value))));
        return secret;
    }

    public static JsonObject PlanConfigMap(OptTrainingJob job, RunPlan plan, long? parentStep = null)
    {
        var map = EpochMap(job, Names.Plan(plan), plan.Epoch, plan.Revision);
        if (parentStep is { } step) map["metadata"]!["annotations"] = new JsonObject { [EpochOutcome.ParentStepAnnotation] = step.ToString(CultureInfo.InvariantCulture) };
        // The spec it was decided under goes along: should a later one be invalid, this one still says how to handle failures.
        map["data"] = new JsonObject { [Names.PlanKey] = JsonSerializer.Serialize(plan, ProtocolJson.Default.RunPlan), [Names.SpecKey] = JsonSerializer.Serialize(job.Spec, SpecJson.Default.OptTrainingJobSpec) };
        return map;
    }

    /// <summary>Not immutable: it is written again for each line that still fits.</summary>
    public static JsonObject LogbookPage(OptTrainingJob job, int number, string text)
    {
        var map = Object(job, "v1", "ConfigMap", LogbookPages.Name(job.Metadata.Name, number), spec: null);
        map["metadata"]!["labels"]![LogbookPages.Label] = number.ToString(CultureInfo.InvariantCulture);
        map["data"] = new JsonObject { [LogbookPages.Key] = text };
        return map;
    }

    /// <summary>Takes the name of an epoch between a plan and its parent, so that nobody else makes a plan of it later.</summary>
    public static V1ConfigMap SkippedEpoch(OptTrainingJob job, RunPlan plan, long epoch)
    {
        var map = EpochMap(job, Names.Plan(plan.JobName, epoch), epoch, revision: 0);
        map["data"] = new JsonObject { [Names.SkippedKey] = $"Epoch {plan.Epoch} follows epoch {plan.ParentEpoch}: {plan.Cause.Message}" };
        return map.Deserialize(KubernetesJson.Default.V1ConfigMap)!;
    }

    private static JsonObject EpochMap(OptTrainingJob job, string name, long epoch, int revision)
    {
        var map = Object(job, "v1", "ConfigMap", name, spec: null);
        map["metadata"]!["labels"]![Names.EpochLabel] = $"{epoch}";
        map["metadata"]!["labels"]![Names.RevisionLabel] = $"{revision}";
        map["immutable"] = true;
        return map;
    }

    /// <summary>Without status, which has a face of its own. The spec is the user's.</summary>
    public static JsonObject Checkpoint(OptTrainingJob job, string name) => Object(job, $"{OptTrainingJob.Group}/{OptTrainingJob.Version}", OptCheckpoint.KindName, name, spec: null);

    private static JsonObject Selector(OptTrainingJob job) => new() { [Names.JobLabel] = job.Metadata.Name };

    private static JsonObject Object(OptTrainingJob job, string apiVersion, string kind, string name, JsonObject? spec)
    {
        var item = new JsonObject
        {
            ["apiVersion"] = apiVersion,
            ["kind"] = kind,
            ["metadata"] = new JsonObject
            {
                ["name"] = name,
                ["namespace"] = job.Metadata.Namespace,
                ["labels"] = Labels(job),
                ["ownerReferences"] = new JsonArray(new JsonObject
                {
                    ["apiVersion"] = job.ApiVersion,
                    ["kind"] = job.Kind,
                    ["name"] = job.Metadata.Name,
                    ["uid"] = job.Metadata.Uid,
                    ["controller"] = true,
                    ["blockOwnerDeletion"] = true,
                }),
            },
        };
        if (spec is not null) item["spec"] = spec;
        return item;
    }
}
