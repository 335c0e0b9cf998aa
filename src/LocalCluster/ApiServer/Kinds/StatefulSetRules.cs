using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Stateful sets.</summary>
public sealed class StatefulSetRules : WorkloadRules
{
    private static readonly string[] Mutable = ["replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"];

    public override void ValidateUpdate(JsonObject item, JsonObject old, List<FieldError> errors)
    {
        Validate(item, errors);
        var (now, before) = (item.Obj("spec")!.Copy(), old.Obj("spec")!.Copy());
        foreach (var name in Mutable)
        {
            now.Remove(name);
            before.Remove(name);
        }

        if (!now.SameAs(before))
        {
            errors.Add(FieldError.Forbidden("spec", "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"));
        }
    }

    public override void Validate(JsonObject item, List<FieldError> errors)
    {
        var spec = item.Obj("spec") ?? [];
        if (spec.Str("podManagementPolicy") is { } management && management is not ("OrderedReady" or "Parallel"))
        {
            errors.Add(FieldError.Invalid("spec.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'"));
        }

        if (spec.Str("updateStrategy", "type") is { } strategy && strategy is not ("RollingUpdate" or "OnDelete"))
        {
            errors.Add(FieldError.Invalid("spec.updateStrategy", spec["updateStrategy"], "must be 'RollingUpdate' or 'OnDelete'"));
        }

        if (spec.Long("ordinals", "start") < 0) errors.Add(FieldError.Invalid("spec.ordinals.start", spec.At("ordinals", "start"), "must be greater than or equal to 0"));
        base.Validate(item, errors);
    }

    protected override void DefaultSpec(JsonObject spec)
    {
        spec.Default("podManagementPolicy", "OrderedReady");
        spec.Default("replicas", 1);
        spec.Default("revisionHistoryLimit", 10);
        var strategy = spec.Ensure("updateStrategy");
        if (string.IsNullOrEmpty(strategy.Str("type"))) strategy["type"] = "RollingUpdate";
        if (strategy.Str("type") == "RollingUpdate") strategy.Ensure("rollingUpdate").Default("partition", 0);
        var retention = spec.Ensure("persistentVolumeClaimRetentionPolicy");
        retention.Default("whenDeleted", "Retain");
        retention.Default("whenScaled", "Retain");
        foreach (var claim in spec.Items("volumeClaimTemplates"))
        {
            claim["apiVersion"] = "v1";
            claim["kind"] = "PersistentVolumeClaim";
            claim.Ensure("spec").Default("volumeMode", "Filesystem");
            claim["status"] = new JsonObject { ["phase"] = "Pending" };
        }
    }
}
