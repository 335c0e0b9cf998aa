using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.CustomResources;

/// <summary>The rules of a custom resource, as its CRD states them.</summary>
public sealed class CustomRules(StructuralSchema schema, bool hasStatus, IReadOnlyList<string> selectable) : KindRules
{
    public override bool HasStatus => hasStatus;

    public override bool HasGeneration => true;

    public override bool AllowsUnconditionalUpdate => false;

    public override IReadOnlyList<string> SelectableFields => selectable;

    public override IReadOnlyList<string> ResetFields(string? subresource) => subresource switch
    {
        null when hasStatus => ["status"],
        "status" => ["metadata", .. schema.Properties.Keys.Where(p => p != "status" && p != "metadata")],
        _ => [],
    };

    public override void PrepareForStatusUpdate(JsonObject item, JsonObject old)
    {
        var status = item["status"]?.DeepClone();
        var books = item.At("metadata", "managedFields")?.DeepClone();
        foreach (var name in item.Select(m => m.Key).ToArray()) item.Remove(name);
        foreach (var (name, value) in old) item[name] = value?.DeepClone();
        item.Remove("status");
        if (status is not null) item["status"] = status;
        if (books is not null) item.Metadata()["managedFields"] = books;
    }

    public override void Validate(JsonObject item, List<FieldError> errors) => Check(item, null, errors);

    public override void ValidateUpdate(JsonObject item, JsonObject old, List<FieldError> errors) => Check(item, old, errors);

    public override void ValidateStatusUpdate(JsonObject item, JsonObject old, List<FieldError> errors) => Check(item, old, errors);

    protected override bool SpecChanged(JsonObject item, JsonObject old) => !Spec(item).SequenceEqual(Spec(old), Member);

    private static readonly EqualityComparer<KeyValuePair<string, JsonNode?>> Member = EqualityComparer<KeyValuePair<string, JsonNode?>>.Create((a, b) => a.Key == b.Key && a.Value.SameAs(b.Value));

    private IEnumerable<KeyValuePair<string, JsonNode?>> Spec(JsonObject item) =>
        item.Where(m => m.Key != "metadata" && !(hasStatus && m.Key == "status")).OrderBy(m => m.Key, StringComparer.Ordinal);

    private void Check(JsonObject item, JsonObject? old, List<FieldError> errors)
    {
        var found = new List<FieldError>();
        StructuralValidator.Validate(item, old, schema, "", found);
        ListRules.Validate(item, schema, "", found);
        if (schema.HasValidations && found.Exists(CelValidator.Blocks)) found.Add(CelValidator.NotChecked);
        else CelValidator.Validate(item, old, old is not null, schema, "", found);
        errors.AddRange(found);
    }
}
