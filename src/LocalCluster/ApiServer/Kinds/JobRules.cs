using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Batch jobs; the server makes their selector.</summary>
public sealed class JobRules : WorkloadRules
{
    public override void PrepareForCreate(JsonObject item, ApiContext context)
    {
        base.PrepareForCreate(item, context);
        var spec = item.Ensure("spec");
        if (spec["manualSelector"].Bool() == true) return;
        var labels = spec.Ensure("template").Ensure("metadata").Ensure("labels");
        foreach (var prefix in (ReadOnlySpan<string>)["batch.kubernetes.io/", ""])
        {
            labels.Default($"{prefix}controller-uid", item.Uid());
            labels.Default($"{prefix}job-name", item.Name());
        }

        spec.Ensure("selector").Ensure("matchLabels")["batch.kubernetes.io/controller-uid"] = item.Uid();
    }

    protected override string[] RestartPolicies => ["OnFailure", "Never"];

    public override string? DefaultDeletionFinalizer => null;

    protected override void DefaultSpec(JsonObject spec)
    {
        if (spec["completions"] is null && spec["parallelism"] is null) spec["completions"] = 1;
        spec.Default("parallelism", 1);
        spec.Default("backoffLimit", 6);
        spec.Default("completionMode", "NonIndexed");
        spec.Default("suspend", false);
        spec.Default("manualSelector", false);
        spec.Default("podReplacementPolicy", spec["podFailurePolicy"] is null ? "TerminatingOrFailed" : "Failed");
    }
}
