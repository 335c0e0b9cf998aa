using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Opt.Kubernetes;

/// <summary>A number or a name (ports), or a number or a percentage (<c>maxUnavailable</c>). Keeps which of the two it was.</summary>
[JsonConverter(typeof(IntOrStringConverter))]
public readonly record struct IntOrString
{
    private readonly string? _text;
    private readonly int _number;

    public IntOrString(int number) => _number = number;

    public IntOrString(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        _text = text;
    }

    /// <summary>The number, or null if this is a string.</summary>
    public int? Number => _text is null ? _number : null;

    /// <summary>The string, or null if this is a number.</summary>
    public string? Text => _text;

    public static implicit operator IntOrString(int number) => new(number);

    public static implicit operator IntOrString(string text) => new(text);

    public override string ToString() => _text ?? _number.ToString(CultureInfo.InvariantCulture);
}

internal sealed class IntOrStringConverter : JsonConverter<IntOrString>
{
    public override IntOrString Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Number => new(reader.GetInt32()),
        JsonTokenType.String => new(reader.GetString()!),
        var other => throw new JsonException($"Expected a number or a string, found {other}"),
    };

    public override void Write(Utf8JsonWriter writer, IntOrString value, JsonSerializerOptions options)
    {
        if (value.Number is { } number) writer.WriteNumberValue(number);
        else writer.WriteStringValue(value.Text);
    }
}
