using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Opt.Api.Schema;
using Opt.Api.V1Alpha1;

namespace Opt.Api.Validation;

/// <summary>
/// The rules of the CRD and those it cannot say, in code: for the reconciler and the webhook. A spec with a fault is never acted on.
/// </summary>
public static partial class SpecValidation
{
    private static readonly JsonObject Schema = JobSchema.Build(_ => null);
    private static readonly JsonObject SpecSchema = Schema["properties"]!["spec"]!.AsObject();

    /// <summary>All faults of a spec as it stands on the wire; empty when it is valid.</summary>
    public static EquatableList<SpecFault> Validate(JsonNode? spec)
    {
        if (spec is not JsonObject given) return [new("spec", SpecFault.Absent, "required: an object")];
        var faults = SchemaCheck.Faults(SpecSchema, given, "spec").ToList();
        if (faults.Count > 0) return [.. faults];
        try
        {
            return Validate(given.Deserialize(SpecJson.Default.OptTrainingJobSpec)!);
        }
        catch (JsonException e)
        {
            return [new($"spec{e.Path?.TrimStart('$')}", "the given value", e.Message)];
        }
    }

    /// <summary>All faults of a spec that has been read; empty when it is valid.</summary>
    public static EquatableList<SpecFault> Validate(OptTrainingJobSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        var json = JsonSerializer.SerializeToNode(spec, SpecJson.Default.OptTrainingJobSpec);
        var faults = SchemaCheck.Faults(SpecSchema, json, "spec").ToList();
        return faults.Count > 0 ? [.. faults] : [.. CrossFieldRules.Faults(spec)];
    }

    /// <summary>Faults of the job's name, from which the names of its pods, Service and plans are made.</summary>
    public static EquatableList<SpecFault> ValidateName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length > CelRules.MaxNameLength) return [new("metadata.name", $"\"{name}\"", $"must be at most {CelRules.MaxNameLength} characters: names of pods and plans are made from it")];
        return ServiceName().IsMatch(name) ? [] : [new("metadata.name", $"\"{name}\"", "must start with a letter and hold only lower-case letters, digits and '-': a Service gets that name")];
    }

    [GeneratedRegex("^[a-z]([-a-z0-9]*[a-z0-9])?$")]
    private static partial Regex ServiceName();
}
