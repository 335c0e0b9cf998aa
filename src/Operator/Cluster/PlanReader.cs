using System.Collections.Concurrent;
using System.Text.Json;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Jobs;
using Opt.Operator.Rendering;
using Opt.Planning;

namespace Opt.Operator.Cluster;

/// <summary>Reads plans out of ConfigMaps. They are immutable, so each is parsed once.</summary>
internal sealed class PlanReader
{
    private readonly ConcurrentDictionary<string, StoredPlan?> _parsed = new(StringComparer.Ordinal);

    /// <summary>The plan, or null when the ConfigMap does not hold one of this job.</summary>
    public StoredPlan? Read(V1ConfigMap map, string jobUid)
    {
        var stored = _parsed.GetOrAdd(map.Metadata.Uid!, _ => Parse(map));
        return stored?.Plan.JobUid == jobUid ? stored : null;
    }

    /// <summary>The spec a plan was decided under; null when it cannot be read.</summary>
    public static ValidSpec? SpecOf(V1ConfigMap map)
    {
        try
        {
            return Spec(map) is not { } spec || Parse(map) is not { } stored ? null : new(stored.Plan.SpecGeneration, spec);
        }
        catch (JsonException)
        {
            return null;   // another version wrote it
        }
    }

    public void Forget(V1ConfigMap map) => _parsed.TryRemove(map.Metadata.Uid!, out _);

    private static StoredPlan? Parse(V1ConfigMap map)
    {
        try
        {
            var plan = map.Data?.GetValueOrDefault(Names.PlanKey) is { } text ? JsonSerializer.Deserialize(text, ProtocolJson.Default.RunPlan) : null;
            return plan is null ? null : new(map.Metadata.Name!, map.Metadata.Uid!, plan, PoliciesOf(map), EpochOutcome.ParentStep(map.Metadata.Annotations?.GetValueOrDefault(EpochOutcome.ParentStepAnnotation)));
        }
        catch (JsonException)
        {
            return null;   // not written by this operator
        }
    }

    private static EquatableList<DivergencePolicySpec>? PoliciesOf(V1ConfigMap map)
    {
        try
        {
            return Spec(map)?.DivergencePolicies;
        }
        catch (JsonException)
        {
            return null;   // another version wrote it; the plan counts all the same
        }
    }

    private static OptTrainingJobSpec? Spec(V1ConfigMap map) => map.Data?.GetValueOrDefault(Names.SpecKey) is { } text ? JsonSerializer.Deserialize(text, SpecJson.Default.OptTrainingJobSpec) : null;
}
