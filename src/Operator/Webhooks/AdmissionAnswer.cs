using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api;
using Opt.Api.Validation;

namespace Opt.Operator.Webhooks;

/// <summary>What a webhook says to a write.</summary>
internal sealed record AdmissionAnswer
{
    public static readonly AdmissionAnswer Allowed = new();

    /// <summary>Empty when the write may happen.</summary>
    public EquatableList<SpecFault> Faults { get; init; } = [];

    /// <summary>Shown to the user by kubectl, whether or not the write happens.</summary>
    public EquatableList<string> Warnings { get; init; } = [];

    /// <summary>A JSON patch (RFC 6902) of the object, or null.</summary>
    public JsonArray? Patch { get; init; }

    /// <summary>The AdmissionReview that goes back: 422 with one cause a fault when refused, so that kubectl prints one line for each.</summary>
    public JsonObject ToReview(string uid, string name)
    {
        var response = new JsonObject { ["uid"] = uid, ["allowed"] = Faults.Count == 0 };
        if (Faults.Count > 0) response["status"] = Status(name);
        if (Warnings.Count > 0) response["warnings"] = new JsonArray([.. Warnings.Select(w => (JsonNode)w)]);
        if (Patch is not null) (response["patchType"], response["patch"]) = ("JSONPatch", Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(Patch.ToJsonString())));
        return new() { ["apiVersion"] = "admission.k8s.io/v1", ["kind"] = "AdmissionReview", ["response"] = response };
    }

    private JsonObject Status(string name) => new()
    {
        ["status"] = "Failure",
        ["code"] = 422,
        ["reason"] = "Invalid",
        ["message"] = string.Join("; ", Faults),
        ["details"] = new JsonObject
        {
            ["group"] = Opt.Api.V1Alpha1.OptTrainingJob.Group,
            ["kind"] = Opt.Api.V1Alpha1.OptTrainingJob.KindName,
            ["name"] = name,
            ["causes"] = new JsonArray([.. Faults.Select(f => (JsonNode)new JsonObject { ["reason"] = "FieldValueInvalid", ["message"] = $"{f.Value} is not allowed; {f.Allowed}", ["field"] = f.Path })]),
        },
    };
}
