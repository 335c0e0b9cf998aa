using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Selectors;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>What the kinds that run pods from a template share: template defaults, and a selector that must match it and never changes.</summary>
public abstract class WorkloadRules : SpecStatusRules
{
    public override void Default(JsonObject item)
    {
        var spec = item.Ensure("spec");
        PodSpecDefaults.Fill(spec.Ensure("template").Ensure("spec"));
        DefaultSpec(spec);
    }

    public override void PrepareForCreate(JsonObject item, ApiContext context)
    {
        base.PrepareForCreate(item, context);
        item["status"] = new JsonObject();
    }

    public override void Validate(JsonObject item, List<FieldError> errors)
    {
        var spec = item.Obj("spec") ?? [];
        if (spec["selector"] is not JsonObject selector || selector.Count == 0) errors.Add(FieldError.Required("spec.selector"));
        else if (!Matches(selector, spec)) errors.Add(FieldError.Invalid("spec.template.metadata.labels", spec.Obj("template", "metadata", "labels") ?? [], "`selector` does not match template `labels`"));
        PodValidation.Template(spec.Obj("template") ?? [], "spec.template", errors);
        if (spec.Str("template", "spec", "restartPolicy") is { } policy && !RestartPolicies.Contains(policy)) errors.Add(FieldError.NotSupported("spec.template.spec.restartPolicy", policy, RestartPolicies));
        if (spec["replicas"].Long() < 0) errors.Add(FieldError.Invalid("spec.replicas", spec["replicas"], "must be greater than or equal to 0"));
    }

    public override void ValidateUpdate(JsonObject item, JsonObject old, List<FieldError> errors)
    {
        Validate(item, errors);
        if (!item.At("spec", "selector").SameAs(old.At("spec", "selector"))) errors.Add(FieldError.Invalid("spec.selector", item.At("spec", "selector"), "field is immutable"));
    }

    protected virtual string[] RestartPolicies => ["Always"];

    protected abstract void DefaultSpec(JsonObject spec);

    private static bool Matches(JsonObject selector, JsonObject spec)
    {
        try
        {
            return LabelSelector.FromObject(selector)!.Matches(spec.Obj("template", "metadata", "labels"));
        }
        catch (SelectorException)
        {
            return false;
        }
    }
}

/// <summary>Deployments.</summary>
public sealed class DeploymentRules : WorkloadRules
{
    protected override void DefaultSpec(JsonObject spec)
    {
        spec.Default("replicas", 1);
        spec.Default("revisionHistoryLimit", 10);
        spec.Default("progressDeadlineSeconds", 600);
        var strategy = spec.Ensure("strategy");
        if (string.IsNullOrEmpty(strategy.Str("type"))) strategy["type"] = "RollingUpdate";
        if (strategy.Str("type") != "RollingUpdate") return;
        strategy.Ensure("rollingUpdate").Default("maxUnavailable", "25%");
        strategy.Ensure("rollingUpdate").Default("maxSurge", "25%");
    }
}

/// <summary>Replica sets.</summary>
public sealed class ReplicaSetRules : WorkloadRules
{
    protected override void DefaultSpec(JsonObject spec) => spec.Default("replicas", 1);
}

/// <summary>Daemon sets.</summary>
public sealed class DaemonSetRules : WorkloadRules
{
    protected override void DefaultSpec(JsonObject spec)
    {
        spec.Default("revisionHistoryLimit", 10);
        var strategy = spec.Ensure("updateStrategy");
        if (string.IsNullOrEmpty(strategy.Str("type"))) strategy["type"] = "RollingUpdate";
        if (strategy.Str("type") != "RollingUpdate") return;
        strategy.Ensure("rollingUpdate").Default("maxUnavailable", 1);
        strategy.Ensure("rollingUpdate").Default("maxSurge", 0);
    }
}
