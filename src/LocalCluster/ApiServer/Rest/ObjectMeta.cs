using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>The rules of metadata, which are the same for every kind.</summary>
public static partial class ObjectMeta
{
    private const string SubdomainText =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

    private const string LabelText =
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

    private const string QualifiedNameText =
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

    private const string LabelValueText =
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

    /// <summary>Sets what the server decides at creation, and drops what a creator may not say.</summary>
    public static void FillForCreate(JsonObject item, ApiContext context)
    {
        var meta = item.Metadata();
        foreach (var name in (ReadOnlySpan<string>)["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"]) meta.Remove(name);
        meta["uid"] = context.Ids.Uid();
        meta["creationTimestamp"] = Scalars.Time(context.Clock.GetUtcNow());
        if (meta["generateName"].Str() is { Length: > 0 } prefix && string.IsNullOrEmpty(meta["name"].Str()))
        {
            meta["name"] = prefix[..Math.Min(prefix.Length, 58)] + context.Ids.Suffix();
        }
    }

    /// <summary>Carries over from <paramref name="old"/> what an update may leave out.</summary>
    public static void FillForUpdate(JsonObject item, JsonObject old)
    {
        var (meta, before) = (item.Metadata(), old.Metadata());
        foreach (var name in (ReadOnlySpan<string>)["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName"])
        {
            if (meta[name] is null && before[name] is { } value) meta[name] = value.DeepClone();
        }

        // Changes of these are not refused but ignored.
        if (before["creationTimestamp"] is { } created) meta["creationTimestamp"] = created.DeepClone();
        if (before["deletionTimestamp"] is { } deleted) meta["deletionTimestamp"] = deleted.DeepClone();
        if (before["generation"] is { } generation) meta["generation"] = generation.DeepClone();
        else meta.Remove("generation");
    }

    public static void Validate(JsonObject item, ResourceKind kind, List<FieldError> errors)
    {
        var meta = item.Metadata();
        var (name, generateName) = (meta["name"].Str() ?? "", meta["generateName"].Str() ?? "");
        if (generateName.Length > 0) NameErrors("metadata.generateName", generateName, kind.Rules.NameRule, prefix: true, errors);
        if (name.Length == 0) errors.Add(FieldError.Required("metadata.name", "name or generateName is required"));
        else NameErrors("metadata.name", name, kind.Rules.NameRule, prefix: false, errors);
        ValidateMaps(meta, errors);
    }

    public static void ValidateUpdate(JsonObject item, JsonObject old, List<FieldError> errors)
    {
        var (meta, before) = (item.Metadata(), old.Metadata());
        ValidateMaps(meta, errors);
        if (old.IsDeleting() && NewFinalizers(meta, before) is { Count: > 0 } added)
        {
            var list = string.Join(", ", added.Select(f => JsonText.ToText(f)));
            var error = FieldError.Forbidden("metadata.finalizers", $"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{list}}}");
            errors.AddRange([error, error]);   // the real server checks twice and says it twice
        }

        foreach (var name in (ReadOnlySpan<string>)["name", "namespace", "uid"])
        {
            if (!meta[name].SameAs(before[name])) errors.Add(FieldError.Invalid($"metadata.{name}", meta[name], "field is immutable"));
        }

        foreach (var name in (ReadOnlySpan<string>)["deletionTimestamp", "deletionGracePeriodSeconds"])
        {
            if (!meta[name].SameAs(before[name])) errors.Add(FieldError.Invalid($"metadata.{name}", meta[name], "field is immutable; may only be changed via deletion"));
        }
    }

    public static void NameErrors(string field, string name, NameRule rule, bool prefix, List<FieldError> errors)
    {
        var value = JsonValue.Create(name);
        var candidate = prefix && name.EndsWith('-') ? name[..^1] + "a" : name;
        if (rule == NameRule.Path)
        {
            if (name is "." or "..") errors.Add(FieldError.Invalid(field, value, $"may not be '{name}'"));
            else if (name.IndexOfAny(['/', '%']) is >= 0 and var at) errors.Add(FieldError.Invalid(field, value, $"may not contain '{name[at]}'"));
            return;
        }

        var max = rule == NameRule.Label ? 63 : 253;
        if (candidate.Length > max) errors.Add(FieldError.Invalid(field, value, $"must be no more than {max.ToString(CultureInfo.InvariantCulture)} bytes"));
        if (!(rule == NameRule.Label ? Label() : Subdomain()).IsMatch(candidate)) errors.Add(FieldError.Invalid(field, value, rule == NameRule.Label ? LabelText : SubdomainText));
    }

    public static bool IsSubdomain(string text) => text.Length <= 253 && Subdomain().IsMatch(text);

    public static bool IsLabel(string text) => text.Length <= 63 && Label().IsMatch(text);

    /// <summary>What is wrong with a label or annotation key; null when nothing is.</summary>
    public static string? QualifiedNameError(string key)
    {
        var slash = key.IndexOf('/', StringComparison.Ordinal);
        var name = slash < 0 ? key : key[(slash + 1)..];
        if (slash == 0) return "prefix part must be non-empty";
        if (name.Contains('/', StringComparison.Ordinal)) return "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
        if (slash > 0 && !IsSubdomain(key[..slash])) return $"prefix part {SubdomainText}";
        if (name.Length == 0) return "name part must be non-empty";
        if (name.Length > 63) return "name part must be no more than 63 bytes";
        return Qualified().IsMatch(name) ? null : QualifiedNameText;
    }

    /// <summary>What is wrong with a label value; null when nothing is.</summary>
    public static string? LabelValueError(string value) =>
        value.Length > 63 ? "must be no more than 63 bytes" : value.Length == 0 || Qualified().IsMatch(value) ? null : LabelValueText;

    public static void LabelErrors(JsonObject? labels, string field, List<FieldError> errors)
    {
        foreach (var (key, value) in labels ?? [])
        {
            if (QualifiedNameError(key) is { } badKey) errors.Add(FieldError.Invalid(field, JsonValue.Create(key), badKey));
            if (LabelValueError(value.Str() ?? "") is { } badValue) errors.Add(FieldError.Invalid(field, value, badValue));
        }
    }

    private static void ValidateMaps(JsonObject meta, List<FieldError> errors)
    {
        LabelErrors(meta["labels"] as JsonObject, "metadata.labels", errors);
        foreach (var (key, _) in meta["annotations"] as JsonObject ?? [])
        {
            if (QualifiedNameError(key.ToLowerInvariant()) is { } bad) errors.Add(FieldError.Invalid("metadata.annotations", JsonValue.Create(key), bad));
        }

        foreach (var finalizer in meta.Strings("finalizers"))
        {
            if (QualifiedNameError(finalizer) is { } bad) errors.Add(FieldError.Invalid("metadata.finalizers", JsonValue.Create(finalizer), bad));
            else if (!finalizer.Contains('/', StringComparison.Ordinal) && finalizer is not ("orphan" or "foregroundDeletion" or "kubernetes"))
            {
                errors.Add(FieldError.Invalid("metadata.finalizers", JsonValue.Create(finalizer), "name is neither a standard finalizer name nor is it fully qualified"));
            }
        }

        ValidateOwners(meta, errors);
    }

    private static void ValidateOwners(JsonObject meta, List<FieldError> errors)
    {
        JsonObject? controller = null;
        var index = 0;
        foreach (var owner in meta.Items("ownerReferences"))
        {
            var at = $"metadata.ownerReferences[{index++}]";
            foreach (var name in (ReadOnlySpan<string>)["apiVersion", "kind", "name", "uid"])
            {
                if (owner.Str(name) is null or "") errors.Add(FieldError.Invalid($"{at}.{name}", JsonValue.Create(""), name == "apiVersion" ? "version must not be empty" : "must not be empty"));
            }

            if (owner["controller"].Bool() != true) continue;
            if (controller is not null)
            {
                errors.Add(FieldError.Invalid("metadata.ownerReferences", meta["ownerReferences"], $"Only one reference can have Controller set to true. Found \"true\" in references for {controller.Str("kind")}/{controller.Str("name")} and {owner.Str("kind")}/{owner.Str("name")}"));
            }

            controller = owner;
        }
    }

    private static List<JsonNode> NewFinalizers(JsonObject meta, JsonObject before) =>
        [.. meta.Strings("finalizers").Except(before.Strings("finalizers")).Order(StringComparer.Ordinal).Select(f => JsonValue.Create(f))];

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex Subdomain();

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Label();

    [GeneratedRegex(@"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\z", RegexOptions.CultureInvariant)]
    private static partial Regex Qualified();
}
