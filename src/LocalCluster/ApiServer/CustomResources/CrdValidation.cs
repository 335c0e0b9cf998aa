using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.CustomResources;

/// <summary>The rules of a CRD: names, versions, a structural schema, rules that compile.</summary>
internal static class CrdValidation
{
    public static void Validate(JsonObject crd, List<FieldError> errors)
    {
        var spec = crd.Obj("spec") ?? [];
        var (group, plural) = (spec.Str("group") ?? "", spec.Str("names", "plural") ?? "");
        if (crd.Name() != $"{plural}.{group}") errors.Add(FieldError.Invalid("metadata.name", crd.Name(), "must be spec.names.plural+\".\"+spec.group"));
        if (group.Length == 0) errors.Add(FieldError.Required("spec.group"));
        else if (!ObjectMeta.IsSubdomain(group)) errors.Add(FieldError.Invalid("spec.group", group, "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"));
        else if (!group.Contains('.', StringComparison.Ordinal)) errors.Add(FieldError.Invalid("spec.group", group, "should be a domain with at least one dot"));
        if (spec.Str("scope") is not ("Namespaced" or "Cluster")) errors.Add(spec.Str("scope") is { Length: > 0 } scope ? FieldError.NotSupported("spec.scope", scope, ["Cluster", "Namespaced"]) : FieldError.Required("spec.scope"));
        foreach (var name in (ReadOnlySpan<string>)["plural", "kind", "singular", "listKind"])
        {
            if (string.IsNullOrEmpty(spec.Str("names", name))) errors.Add(FieldError.Required($"spec.names.{name}"));
        }

        Versions(spec, errors);
    }

    private static void Versions(JsonObject spec, List<FieldError> errors)
    {
        var versions = spec.Items("versions").ToArray();
        if (versions.Count(v => v["storage"].Bool() == true) != 1) errors.Add(new FieldError("FieldValueInvalid", "spec.versions", $"Invalid value: {JsonText.ToText(spec["versions"])}: must have exactly one version marked as storage version"));
        for (var i = 0; i < versions.Length; i++)
        {
            var at = $"spec.versions[{i.ToString(CultureInfo.InvariantCulture)}]";
            if (versions[i].Obj("schema", "openAPIV3Schema") is { } schema) Root(schema, $"{at}.schema.openAPIV3Schema", errors);
            else errors.Add(FieldError.Required($"{at}.schema.openAPIV3Schema", "schemas are required"));
            Columns(versions[i], at, errors);
        }
    }

    private static void Columns(JsonObject version, string path, List<FieldError> errors)
    {
        var index = 0;
        foreach (var column in version.Items("additionalPrinterColumns"))
        {
            var at = $"{path}.additionalPrinterColumns[{(index++).ToString(CultureInfo.InvariantCulture)}]";
            if (string.IsNullOrEmpty(column.Str("name"))) errors.Add(FieldError.Required($"{at}.name"));
            if (column.Str("type") is not ("integer" or "number" or "string" or "boolean" or "date")) errors.Add(FieldError.NotSupported($"{at}.type", column["type"] ?? "", ["boolean", "date", "integer", "number", "string"]));
            try
            {
                JsonPath.Parse(column.Str("jsonPath") ?? "");
            }
            catch (FormatException e)
            {
                errors.Add(FieldError.Invalid($"{at}.jsonPath", column["jsonPath"], e.Message));
            }
        }
    }

    private static void Root(JsonObject schema, string path, List<FieldError> errors)
    {
        if (schema.Str("type") is { } type && type != "object") errors.Add(FieldError.Invalid($"{path}.type", type, "must be object at the root"));
        Node(schema, path, isRoot: true, errors);
    }

    private static void Node(JsonObject schema, string path, bool isRoot, List<FieldError> errors)
    {
        var free = schema["x-kubernetes-int-or-string"].Bool() == true || schema["x-kubernetes-preserve-unknown-fields"].Bool() == true;
        if (string.IsNullOrEmpty(schema.Str("type")) && !free) errors.Add(FieldError.Required($"{path}.type", isRoot ? "must not be empty at the root" : "must not be empty for specified object fields"));
        if (schema.Obj("properties") is not null && schema.Obj("additionalProperties") is not null) errors.Add(FieldError.Forbidden($"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive"));
        if (schema.Str("type") == "array" && schema["items"] is not JsonObject) errors.Add(FieldError.Required($"{path}.items", "must be specified"));
        ListType(schema, path, errors);
        CrdExpressions.Validate(schema, path, isRoot, errors);
        foreach (var (name, property) in schema.Obj("properties") ?? [])
        {
            if (property is JsonObject below) Node(below, $"{path}.properties[{name}]", isRoot: false, errors);
        }

        if (schema["items"] is JsonObject items) Node(items, $"{path}.items", isRoot: false, errors);
        if (schema["additionalProperties"] is JsonObject additional) Node(additional, $"{path}.additionalProperties", isRoot: false, errors);
    }

    private static void ListType(JsonObject schema, string path, List<FieldError> errors)
    {
        if (schema.Str("x-kubernetes-list-type") is not { } type) return;
        if (type is not ("atomic" or "set" or "map")) errors.Add(FieldError.NotSupported($"{path}.x-kubernetes-list-type", type, ["atomic", "set", "map"]));
        if (type != "map") return;
        var keys = schema.Strings("x-kubernetes-list-map-keys");
        if (keys.Count == 0) errors.Add(FieldError.Required($"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map"));
        foreach (var key in keys)
        {
            if (schema.Obj("items", "properties", key) is not { } property) errors.Add(FieldError.Invalid($"{path}.x-kubernetes-list-map-keys", key, "entries must all be names of item properties"));
            else if (property["default"] is null && !schema.Obj("items")!.Strings("required").Contains(key)) errors.Add(FieldError.Required($"{path}.items.properties[{key}].default", "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"));
        }
    }
}
