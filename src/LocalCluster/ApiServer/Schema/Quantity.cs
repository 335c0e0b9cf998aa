using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>
/// A resource amount as Kubernetes writes it: a decimal with a binary (Ki, Mi, ...), decimal (m, k, M, ...) or exponent suffix.
/// Kept exactly, in units of 10^-9; finer amounts are rounded up, as the API server does.
/// </summary>
public readonly partial record struct Quantity(BigInteger Nano, QuantityFormat Format)
{
    public const string Rule = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    private static readonly BigInteger One = BigInteger.Pow(10, 9);
    private static readonly string[] Binary = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    private static readonly string[] Decimal = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

    public static bool TryParse(string text, out Quantity quantity)
    {
        quantity = default;
        var match = Pattern().Match(text);
        if (!match.Success || !TryScale(match.Groups["suffix"].Value, out var scale, out var format)) return false;
        var number = match.Groups["number"].ValueSpan;
        var point = number.IndexOf('.');
        var digits = string.Concat(number[..(point < 0 ? number.Length : point)], point < 0 ? [] : number[(point + 1)..]);
        if (!BigInteger.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var mantissa)) return false;
        var divisor = BigInteger.Pow(10, point < 0 ? 0 : number.Length - point - 1);
        quantity = new(RoundUp(mantissa * scale.Numerator, divisor * scale.Denominator), format);
        return true;
    }

    /// <summary>The canonical form: no fraction, and the largest suffix that allows it.</summary>
    public override string ToString() => Format switch
    {
        QuantityFormat.Binary when BigInteger.Abs(Nano) >= 1024 * One && Nano % One == 0 => ToBinary(Nano / One),
        QuantityFormat.Exponent => ToExponent(),
        _ => ToDecimal(),
    };

    private static string ToBinary(BigInteger whole)
    {
        var power = 0;
        while (power < Binary.Length - 1 && whole % 1024 == 0 && whole != 0)
        {
            whole /= 1024;
            power++;
        }

        return whole.ToString(CultureInfo.InvariantCulture) + Binary[power];
    }

    private string ToDecimal()
    {
        var (value, power) = Thousands();
        return value.ToString(CultureInfo.InvariantCulture) + Decimal[power];
    }

    private string ToExponent()
    {
        var (value, power) = Thousands();
        var exponent = (power - 3) * 3;
        return value.ToString(CultureInfo.InvariantCulture) + (exponent == 0 ? "" : $"e{exponent.ToString(CultureInfo.InvariantCulture)}");
    }

    private (BigInteger Value, int Power) Thousands()
    {
        if (Nano.IsZero) return (Nano, 3);
        var (value, power) = (Nano, 0);
        while (power < Decimal.Length - 1 && value % 1000 == 0)
        {
            value /= 1000;
            power++;
        }

        return (value, power);
    }

    private static BigInteger RoundUp(BigInteger numerator, BigInteger denominator)
    {
        var quotient = BigInteger.DivRem(numerator, denominator, out var rest);
        return rest.Sign > 0 ? quotient + 1 : rest.Sign < 0 ? quotient - 1 : quotient;
    }

    private static bool TryScale(string suffix, out (BigInteger Numerator, BigInteger Denominator) scale, out QuantityFormat format)
    {
        format = suffix.EndsWith('i') ? QuantityFormat.Binary : suffix is ['e' or 'E', _, ..] ? QuantityFormat.Exponent : QuantityFormat.Decimal;
        scale = (One, BigInteger.One);
        if (format == QuantityFormat.Exponent)
        {
            if (!int.TryParse(suffix.AsSpan(1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exponent) || Math.Abs(exponent) > 60) return false;
            scale = exponent >= 0 ? (One * BigInteger.Pow(10, exponent), BigInteger.One) : (One, BigInteger.Pow(10, -exponent));
            return true;
        }

        var power = Array.IndexOf(format == QuantityFormat.Binary ? Binary : Decimal, suffix);
        if (power < 0) return false;
        scale = format == QuantityFormat.Binary ? (One * BigInteger.Pow(1024, power), BigInteger.One) : (BigInteger.Pow(1000, power), BigInteger.One);
        return true;
    }

    [GeneratedRegex(@"^(?<number>[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40}))(?<suffix>[a-zA-Z]{0,2}(?:[+-]?[0-9]{1,3})?)\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Pattern();
}

/// <summary>The family of suffixes a quantity was written with, and is written back with.</summary>
public enum QuantityFormat { Decimal, Binary, Exponent }
