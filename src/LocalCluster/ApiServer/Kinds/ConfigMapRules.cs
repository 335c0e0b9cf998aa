using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Lifecycle;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Config maps and secrets: keys that can be file names, at most a mebibyte, and immutability on request.</summary>
public partial class ConfigMapRules : KindRules
{
    private const int MaxBytes = 1 << 20;
    private const string KeyText =
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

    public override void Validate(JsonObject item, List<FieldError> errors)
    {
        var size = 0;
        foreach (var member in (ReadOnlySpan<string>)["data", "binaryData"])
        {
            foreach (var (key, value) in item.Obj(member) ?? [])
            {
                size += value.Str()?.Length ?? 0;
                if (key.Length > 253) errors.Add(FieldError.Invalid($"{member}[{key}]", key, "must be no more than 253 characters"));
                else if (!Key().IsMatch(key)) errors.Add(FieldError.Invalid($"{member}[{key}]", key, KeyText));
            }
        }

        if (size > MaxBytes) errors.Add(new FieldError("FieldValueTooLong", TooLongField, $"Too long: may not be more than {MaxBytes} bytes"));
    }

    public override void ValidateUpdate(JsonObject item, JsonObject old, List<FieldError> errors)
    {
        if (old["immutable"].Bool() == true)
        {
            if (item["immutable"].Bool() != true) errors.Add(FieldError.Forbidden("immutable", "field is immutable when `immutable` is set"));
            foreach (var member in (ReadOnlySpan<string>)["data", "binaryData"])
            {
                if (!item[member].SameAs(old[member])) errors.Add(FieldError.Forbidden(member, "field is immutable when `immutable` is set"));
            }
        }

        Validate(item, errors);
    }

    protected virtual string TooLongField => "";

    [GeneratedRegex(@"^[-._a-zA-Z0-9]+\z", RegexOptions.CultureInvariant)]
    private static partial Regex Key();
}

/// <summary>Secrets: <c>stringData</c> is folded into <c>data</c>, the type is fixed at creation.</summary>
public sealed class SecretRules : ConfigMapRules
{
    public override IReadOnlyList<string> SelectableFields => ["type"];

    public override void Default(JsonObject item)
    {
        item.Default("type", "Opaque");
        if (item["stringData"] is not JsonObject text) return;
        var data = item.Ensure("data");
        foreach (var (key, value) in text) data[key] = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(value.Str() ?? ""));
        item.Remove("stringData");
    }

    public override void ValidateUpdate(JsonObject item, JsonObject old, List<FieldError> errors)
    {
        if (item.Str("type") != old.Str("type")) errors.Add(FieldError.Invalid("type", item["type"], "field is immutable"));
        base.ValidateUpdate(item, old, errors);
    }

    public override Task AfterWriteAsync(JsonObject item, ApiContext context, CancellationToken ct) => TokenSecrets.FillAsync(context, item, ct);

    protected override string TooLongField => "data";
}
