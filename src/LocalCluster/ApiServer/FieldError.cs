using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer;

/// <summary>One broken rule of one field, worded as Kubernetes words it.</summary>
/// <param name="Reason">The machine-readable cause.</param>
/// <param name="Field">Path, as in <c>spec.containers[0].name</c>.</param>
/// <param name="Text">The message without the path.</param>
public sealed record FieldError(string Reason, string Field, string Text)
{
    public static FieldError Required(string field, string detail = "") => new("FieldValueRequired", field, Join("Required value", detail));

    public static FieldError Forbidden(string field, string detail) => new("FieldValueForbidden", field, Join("Forbidden", detail));

    public static FieldError Invalid(string field, JsonNode? value, string detail) => new("FieldValueInvalid", field, Join($"Invalid value: {Quote(value)}", detail));

    public static FieldError TypeInvalid(string field, JsonNode? value, string detail) => new("FieldValueTypeInvalid", field, Join($"Invalid value: {Quote(value)}", detail));

    public static FieldError Duplicate(string field, JsonNode? value) => new("FieldValueDuplicate", field, $"Duplicate value: {Quote(value)}");

    public static FieldError NotFound(string field, JsonNode? value) => new("FieldValueNotFound", field, $"Not found: {Quote(value)}");

    public static FieldError TooLong(string field, int maxBytes) => new("FieldValueTooLong", field, $"Too long: may not be more than {maxBytes} bytes");

    public static FieldError TooMany(string field, int actual, int max) => new("FieldValueTooMany", field, $"Too many: {actual}: must have at most {max} items");

    public static FieldError NotSupported(string field, JsonNode? value, IEnumerable<string> supported) =>
        new("FieldValueNotSupported", field, $"Unsupported value: {Quote(value)}: supported values: {string.Join(", ", supported.Select(v => Quote(v)))}");

    public override string ToString() => $"{Field}: {Text}";

    public JsonObject ToCause() => new() { ["reason"] = Reason, ["message"] = Text, ["field"] = Field };

    private static string Join(string head, string detail) => detail.Length == 0 ? head : $"{head}: {detail}";

    private static string Quote(JsonNode? value) => value switch
    {
        null => "null",
        JsonValue v when v.GetValueKind() == JsonValueKind.String => value.ToJsonString(JsonText.Compact),
        JsonValue v when v.Long() is not null => v.Plain(),
        _ => value.ToJsonString(JsonText.Compact),
    };
}
