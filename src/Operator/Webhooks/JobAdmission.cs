using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api;
using Opt.Api.Validation;
using Opt.Api.V1Alpha1;

namespace Opt.Operator.Webhooks;

/// <summary>
/// What is said to a write of an OptTrainingJob: pure functions of the review. Nothing here is the only guard: the CRD's rules and the reconciler
/// hold when no webhook is called (DESIGN: they fail open), but only here is it known who edited.
/// </summary>
internal static class JobAdmission
{
    /// <summary>Holds the name of the user who last changed the spec or a request annotation. Whatever a client writes there is replaced.</summary>
    public const string EditedBy = $"{OptTrainingJob.Group}/edited-by";

    private const int LongestName = 256;

    /// <summary>
    /// Stamps who edits. Constant defaults are the CRD's, and what a preset implies is resolved once and pinned in the run plan: writing it into
    /// the spec would make a job depend on whether this webhook was up.
    /// </summary>
    public static AdmissionAnswer Default(AdmissionRequest request)
    {
        if (IsExempt(request)) return AdmissionAnswer.Allowed;
        var before = Annotation(request.OldObject);
        var wanted = IsEdit(request) ? request.User[..Math.Min(request.User.Length, LongestName)] : before;
        return wanted == Annotation(request.Object) ? AdmissionAnswer.Allowed : new() { Patch = Stamp(request.Object, wanted) };
    }

    /// <summary>All faults of the spec, of the name and of what may not change, one each.</summary>
    public static AdmissionAnswer Validate(AdmissionRequest request)
    {
        if (IsExempt(request)) return AdmissionAnswer.Allowed;
        var faults = SpecValidation.Validate(request.Object["spec"]);
        // A spec that was already bad may still be edited in its metadata: a finalizer or a label must not be stuck behind it.
        if (request.OldObject is { } old && JsonNode.DeepEquals(old["spec"], request.Object["spec"])) return AdmissionAnswer.Allowed;
        if (request.OldObject is null && Name(request.Object) is { } name) faults = [.. SpecValidation.ValidateName(name), .. faults];
        if (faults.Count == 0 && request.OldObject?["spec"] is { } oldSpec) faults = ImmutableFaults(oldSpec, request.Object["spec"]!);
        return new() { Faults = faults };
    }

    public static string? Name(JsonObject target) => At(target, "metadata", "name") is JsonValue value && value.TryGetValue<string>(out var name) ? name : null;

    private static EquatableList<SpecFault> ImmutableFaults(JsonNode old, JsonNode now)
    {
        if (SpecValidation.Validate(old).Count > 0) return [];   // nothing was ever made from it
        return Immutability.Faults(old.Deserialize(SpecJson.Default.OptTrainingJobSpec)!, now.Deserialize(SpecJson.Default.OptTrainingJobSpec)!);
    }

    /// <summary>An object that is being deleted must never be held up.</summary>
    private static bool IsExempt(AdmissionRequest request) => At(request.Object, "metadata", "deletionTimestamp") is not null;

    private static bool IsEdit(AdmissionRequest request) => request.OldObject is not { } old
        || !JsonNode.DeepEquals(old["spec"], request.Object["spec"])
        || !Requests(old).SequenceEqual(Requests(request.Object));

    /// <summary>Annotations of our group are requests to the operator: whoever sets one intervenes.</summary>
    private static IEnumerable<(string Key, string Value)> Requests(JsonObject target) => (At(target, "metadata", "annotations") as JsonObject ?? [])
        .Where(a => a.Key.Split('/')[0] is var prefix && (prefix == OptTrainingJob.Group || prefix.EndsWith($".{OptTrainingJob.Group}", StringComparison.Ordinal)) && a.Key != EditedBy)
        .Select(a => (a.Key, a.Value?.ToJsonString() ?? "")).OrderBy(a => a.Key, StringComparer.Ordinal);

    private static string? Annotation(JsonObject? target) => At(target, "metadata", "annotations", EditedBy) is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private static JsonArray Stamp(JsonObject target, string? user)
    {
        var path = $"/metadata/annotations/{EditedBy.Replace("/", "~1", StringComparison.Ordinal)}";
        if (user is null) return new(new JsonObject { ["op"] = "remove", ["path"] = path });
        return At(target, "metadata", "annotations") is JsonObject
            ? new(new JsonObject { ["op"] = "add", ["path"] = path, ["value"] = user })
            : new(new JsonObject { ["op"] = "add", ["path"] = "/metadata/annotations", ["value"] = new JsonObject { [EditedBy] = user } });
    }

    /// <summary>A member of a member; null where the shape is another.</summary>
    private static JsonNode? At(JsonObject? target, params ReadOnlySpan<string> path)
    {
        JsonNode? node = target;
        foreach (var name in path) node = (node as JsonObject)?[name];
        return node;
    }
}
