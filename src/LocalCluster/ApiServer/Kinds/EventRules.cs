using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Events, selectable by what they are about.</summary>
public sealed class EventRules : KindRules
{
    public override IReadOnlyList<string> SelectableFields =>
    [
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion",
        "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type",
    ];

    public override bool CreatesOnUpdate => true;

    public override string Selectable(JsonObject item, string field)
    {
        if (field == "source") return item.Str("source", "component") ?? item.Str("deprecatedSource", "component") ?? "";
        var value = base.Selectable(item, field);
        if (value.Length > 0) return value;
        return field == "reportingComponent" ? item.Str("reportingController") ?? "" : base.Selectable(item, field.Replace("involvedObject", "regarding", StringComparison.Ordinal));
    }

    public override void Validate(JsonObject item, List<FieldError> errors)
    {
        var about = item.Obj("involvedObject") ?? item.Obj("regarding") ?? [];
        var member = item["involvedObject"] is null && item["regarding"] is not null ? "regarding" : "involvedObject";
        var @namespace = about.Str("namespace") ?? "";
        if (@namespace != item.Namespace() && !(@namespace.Length == 0 && item.Namespace() == "default"))
        {
            errors.Add(FieldError.Invalid($"{member}.namespace", @namespace, "does not match event.namespace"));
        }
    }

    public override void ValidateUpdate(JsonObject item, JsonObject old, List<FieldError> errors) => Validate(item, errors);
}

/// <summary>Leases; a PUT on a missing one creates it.</summary>
public sealed class LeaseRules : KindRules
{
    public override bool CreatesOnUpdate => true;

    public override void Validate(JsonObject item, List<FieldError> errors)
    {
        if (item.Long("spec", "leaseDurationSeconds") is <= 0) errors.Add(FieldError.Invalid("spec.leaseDurationSeconds", item.At("spec", "leaseDurationSeconds"), "must be greater than 0"));
        if (item.Long("spec", "leaseTransitions") is < 0) errors.Add(FieldError.Invalid("spec.leaseTransitions", item.At("spec", "leaseTransitions"), "must be greater than or equal to 0"));
    }
}
