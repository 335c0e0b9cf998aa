using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Opt.Kubernetes;

/// <summary>
/// A quantity such as <c>500m</c>, <c>16Gi</c> or <c>1e3</c>. Written back exactly as it was read; equality and order are by value.
/// </summary>
/// <exception cref="FormatException">The text is not a quantity, or its magnitude exceeds 2^63-1, which the API forbids too.</exception>
[JsonConverter(typeof(ResourceQuantityConverter))]
public readonly struct ResourceQuantity : IEquatable<ResourceQuantity>, IComparable<ResourceQuantity>
{
    private const decimal Largest = long.MaxValue;
    private readonly string? _text;

    public ResourceQuantity(string text)
    {
        _text = text;
        Value = TryParse(text, out var value)
            ? value
            : throw new FormatException($"\"{text}\" is not a quantity: expected a number with one of the suffixes n u m k M G T P E Ki Mi Gi Ti Pi Ei, or a decimal exponent.");
    }

    /// <summary>The value in base units: cores, bytes, devices.</summary>
    public decimal Value { get; }

    public static implicit operator ResourceQuantity(string text) => new(text);

    public static implicit operator ResourceQuantity(long value) => new(value.ToString(CultureInfo.InvariantCulture));

    /// <summary>The value in whole units, rounded up as Kubernetes' <c>Value()</c> rounds.</summary>
    public long ToInt64() => (long)Math.Ceiling(Value);

    /// <summary>Parses without throwing. <paramref name="value"/> is in base units.</summary>
    public static bool TryParse(string? text, out decimal value)
    {
        value = 0;
        if (string.IsNullOrEmpty(text)) return false;
        var split = text.AsSpan().LastIndexOfAnyInRange('0', '9');
        var dot = text.LastIndexOf('.');
        var end = Math.Max(split, dot) + 1;
        var exponent = text.AsSpan(0, end).IndexOfAny('e', 'E');
        var digits = text.AsSpan(0, exponent >= 0 ? exponent : end);
        if (!decimal.TryParse(digits, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return false;
        if (exponent < 0) return Scale(text.AsSpan(end)) is { } factor && TryMultiply(number, factor, out value);
        return end == text.Length
            && int.TryParse(text.AsSpan(exponent + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var power)
            && TryShift(number, power, out value);
    }

    public bool Equals(ResourceQuantity other) => Value == other.Value;

    public override bool Equals(object? obj) => obj is ResourceQuantity other && Equals(other);

    public override int GetHashCode() => Value.GetHashCode();

    public int CompareTo(ResourceQuantity other) => Value.CompareTo(other.Value);

    public override string ToString() => _text ?? "0";

    public static bool operator ==(ResourceQuantity left, ResourceQuantity right) => left.Equals(right);
    public static bool operator !=(ResourceQuantity left, ResourceQuantity right) => !left.Equals(right);
    public static bool operator <(ResourceQuantity left, ResourceQuantity right) => left.CompareTo(right) < 0;
    public static bool operator >(ResourceQuantity left, ResourceQuantity right) => left.CompareTo(right) > 0;
    public static bool operator <=(ResourceQuantity left, ResourceQuantity right) => left.CompareTo(right) <= 0;
    public static bool operator >=(ResourceQuantity left, ResourceQuantity right) => left.CompareTo(right) >= 0;

    private static decimal? Scale(ReadOnlySpan<char> suffix) => suffix switch
    {
        "" => 1m,
        "n" => 1e-9m,
        "u" => 1e-6m,
        "m" => 1e-3m,
        "k" => 1e3m,
        "M" => 1e6m,
        "G" => 1e9m,
        "T" => 1e12m,
        "P" => 1e15m,
        "E" => 1e18m,
        "Ki" => 1024m,
        "Mi" => 1024m * 1024,
        "Gi" => 1024m * 1024 * 1024,
        "Ti" => 1024m * 1024 * 1024 * 1024,
        "Pi" => 1024m * 1024 * 1024 * 1024 * 1024,
        "Ei" => 1024m * 1024 * 1024 * 1024 * 1024 * 1024,
        _ => null,
    };

    private static bool TryMultiply(decimal number, decimal factor, out decimal value)
    {
        value = 0;
        if (Math.Abs(number) > Largest / Math.Max(factor, 1)) return false;
        value = number * factor;
        return true;
    }

    private static bool TryShift(decimal number, int power, out decimal value)
    {
        value = number;
        if (power is < -40 or > 40) return number == 0;
        for (; power > 0; power--)
        {
            if (!TryMultiply(value, 10, out value)) return false;
        }

        for (; power < 0; power++) value /= 10;
        return true;
    }
}

internal sealed class ResourceQuantityConverter : JsonConverter<ResourceQuantity>
{
    public override ResourceQuantity Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var text = reader.TokenType switch
        {
            JsonTokenType.String => reader.GetString()!,
            JsonTokenType.Number => System.Text.Encoding.UTF8.GetString(reader.ValueSpan),   // YAML authors write `cpu: 2`
            var other => throw new JsonException($"Expected a quantity, found {other}"),
        };
        return ResourceQuantity.TryParse(text, out _) ? new(text) : throw new JsonException($"\"{text}\" is not a quantity");
    }

    public override void Write(Utf8JsonWriter writer, ResourceQuantity value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
