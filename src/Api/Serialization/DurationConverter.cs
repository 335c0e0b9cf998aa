using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace Opt.Api;

/// <summary>Durations as Kubernetes writes them: a sequence of number and unit (h, m, s, ms), for example <c>1h30m</c> or <c>90s</c>.</summary>
public sealed partial class DurationConverter : JsonConverter<TimeSpan>
{
    /// <summary>The OpenAPI pattern of a duration.</summary>
    public const string SchemaPattern = @"^([0-9]+(\.[0-9]+)?(h|m|s|ms))+$";

    public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.String) throw new JsonException("a duration must be a string such as \"90s\" or \"1h30m\"");
        var text = reader.GetString()!;
        return TryParse(text, out var value) ? value : throw new JsonException($"\"{text}\" is not a duration such as \"90s\" or \"1h30m\"");
    }

    public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) => writer.WriteStringValue(Format(value));

    /// <summary>Parses <paramref name="text"/>; false when it is not a duration or longer than a hundred years.</summary>
    public static bool TryParse(string text, out TimeSpan value)
    {
        value = default;
        if (text.Length > 64 || !Whole().IsMatch(text)) return false;
        var seconds = 0.0;
        foreach (Match part in Part().Matches(text))
        {
            var amount = double.Parse(part.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
            seconds += amount * part.Groups[2].ValueSpan switch { "h" => 3600, "m" => 60, "s" => 1, _ => 0.001 };
        }

        if (!(seconds <= 36_500.0 * 86_400)) return false;
        value = TimeSpan.FromSeconds(seconds);
        return true;
    }

    /// <summary>The shortest form: <c>1h30m</c>, <c>90s</c> becomes <c>1m30s</c>.</summary>
    public static string Format(TimeSpan value)
    {
        if (value == TimeSpan.Zero) return "0s";
        var hours = (long)value.TotalHours;
        var text = hours > 0 ? $"{hours}h" : "";
        if (value.Minutes > 0) text += $"{value.Minutes}m";
        if (value.Seconds > 0) text += $"{value.Seconds}s";
        if (value.Milliseconds > 0) text += $"{value.Milliseconds}ms";
        return text;
    }

    [GeneratedRegex(SchemaPattern, RegexOptions.CultureInvariant)]
    private static partial Regex Whole();

    [GeneratedRegex(@"([0-9]+(?:\.[0-9]+)?)(h|ms|m|s)", RegexOptions.CultureInvariant)]
    private static partial Regex Part();
}
