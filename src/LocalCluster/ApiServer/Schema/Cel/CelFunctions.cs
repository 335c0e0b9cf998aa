using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Opt.LocalCluster.ApiServer.Schema.Cel;

/// <summary>Operators and functions: the standard ones and Kubernetes' libraries for strings, lists, sets, quantities and regular expressions. A method's receiver is its first argument.</summary>
internal static class CelFunctions
{
    public static readonly FrozenSet<string> Namespaces = FrozenSet.Create("optional", "math", "sets");

    /// <exception cref="CelException">There is no such function for these arguments, or it failed.</exception>
    public static object? Call(string function, object?[] arguments) =>
        Standard(function, arguments, out var result) || CelLibraries.Call(function, arguments, out result) ? result : throw CelValues.NoOverload();

    private static bool Standard(string function, object?[] arguments, out object? result)
    {
        object? found = (function, arguments) switch
        {
            ("_==_", [var a, var b]) => CelValues.AreEqual(a, b),
            ("_!=_", [var a, var b]) => !CelValues.AreEqual(a, b),
            ("_<_", [var a, var b]) => CelValues.Compare(a, b) < 0,
            ("_<=_", [var a, var b]) => CelValues.Compare(a, b) <= 0,
            ("_>_", [var a, var b]) => CelValues.Compare(a, b) > 0,
            ("_>=_", [var a, var b]) => CelValues.Compare(a, b) >= 0,
            ("_+_", [var a, var b]) => Add(a, b),
            ("_-_", [var a, var b]) => Subtract(a, b),
            ("_*_", [var a, var b]) => Multiply(a, b),
            ("_/_", [var a, var b]) => Divide(a, b),
            ("_%_", [var a, var b]) => Modulo(a, b),
            ("-_", [long.MinValue]) => throw Overflow(),
            ("-_", [long a]) => -a,
            ("-_", [double a]) => -a,
            ("!_", [bool a]) => !a,
            ("@in", [var a, CelListValue list]) => list.Items.Any(i => CelValues.AreEqual(a, i)),
            ("@in", [var a, CelMapValue map]) => map.TryGet(a, out _),
            ("size", [string s]) => (long)Runes(s),
            ("size", [byte[] s]) => (long)s.Length,
            ("size", [CelListValue list]) => (long)list.Items.Count,
            ("size", [CelMapValue map]) => (long)map.Count,
            ("int", [var a]) => Int(a),
            ("uint", [var a]) => UInt(a),
            ("double", [var a]) => Double(a),
            ("string", [var a]) => CelValues.Text(a),
            ("bool", [bool a]) => a,
            ("bool", ["true" or "True" or "TRUE" or "t" or "1"]) => true,
            ("bool", ["false" or "False" or "FALSE" or "f" or "0"]) => false,
            ("bytes", [string s]) => Encoding.UTF8.GetBytes(s),
            ("bytes", [byte[] b]) => b,
            ("duration", [string s]) => CelDuration.TryParse(s, out var span) ? span : throw new CelException($"invalid duration {s}"),
            ("duration", [TimeSpan s]) => s,
            ("timestamp", [string s]) => Scalars.TryTime(s, out var time) ? time : throw new CelException($"invalid timestamp {s}"),
            ("timestamp", [DateTimeOffset t]) => t,
            ("timestamp", [long seconds]) when seconds is >= -62135596800 and <= 253402300799 => DateTimeOffset.FromUnixTimeSeconds(seconds),
            ("type", [var a]) => new CelType(CelValues.TypeName(a)),
            ("dyn", [{ } a]) => a,
            ("contains", [string s, string t]) => s.Contains(t, StringComparison.Ordinal),
            ("startsWith", [string s, string t]) => s.StartsWith(t, StringComparison.Ordinal),
            ("endsWith", [string s, string t]) => s.EndsWith(t, StringComparison.Ordinal),
            ("matches", [string s, string t]) => CelRegex.Of(t).IsMatch(s),
            _ => null,
        };
        result = found;
        return found is not null || function == "dyn" && arguments.Length == 1;
    }

    internal static int Runes(string text)
    {
        var count = 0;
        foreach (var _ in text.EnumerateRunes()) count++;
        return count;
    }

    internal static CelException Overflow() => new("integer overflow");

    private static object Add(object? a, object? b)
    {
        try
        {
            return (a, b) switch
            {
                (long x, long y) => checked(x + y),
                (ulong x, ulong y) => checked(x + y),
                (double x, double y) => x + y,
                (string x, string y) => x + y,
                (byte[] x, byte[] y) => (byte[])[.. x, .. y],
                (CelListValue x, CelListValue y) => new CelListValue([.. x.Items, .. y.Items]),
                (TimeSpan x, TimeSpan y) => x + y,
                (DateTimeOffset x, TimeSpan y) => x + y,
                (TimeSpan x, DateTimeOffset y) => y + x,
                _ => throw CelValues.NoOverload(),
            };
        }
        catch (Exception e) when (e is OverflowException or ArgumentOutOfRangeException)
        {
            throw Overflow();
        }
    }

    private static object Subtract(object? a, object? b)
    {
        try
        {
            return (a, b) switch
            {
                (long x, long y) => checked(x - y),
                (ulong x, ulong y) => checked(x - y),
                (double x, double y) => x - y,
                (TimeSpan x, TimeSpan y) => x - y,
                (DateTimeOffset x, TimeSpan y) => x - y,
                (DateTimeOffset x, DateTimeOffset y) => x - y,
                _ => throw CelValues.NoOverload(),
            };
        }
        catch (Exception e) when (e is OverflowException or ArgumentOutOfRangeException)
        {
            throw Overflow();
        }
    }

    private static object Multiply(object? a, object? b)
    {
        try
        {
            return (a, b) switch
            {
                (long x, long y) => (object)checked(x * y),
                (ulong x, ulong y) => checked(x * y),
                (double x, double y) => x * y,
                _ => throw CelValues.NoOverload(),
            };
        }
        catch (OverflowException)
        {
            throw Overflow();
        }
    }

    private static object Divide(object? a, object? b) => (a, b) switch
    {
        (long, 0L) or (ulong, 0UL) => throw new CelException("division by zero"),
        (long.MinValue, -1L) => throw Overflow(),
        (long x, long y) => (object)(x / y),
        (ulong x, ulong y) => x / y,
        (double x, double y) => x / y,
        _ => throw CelValues.NoOverload(),
    };

    private static object Modulo(object? a, object? b) => (a, b) switch
    {
        (long, 0L) or (ulong, 0UL) => throw new CelException("modulus by zero"),
        (long.MinValue, -1L) => throw Overflow(),
        (long x, long y) => (object)(x % y),
        (ulong x, ulong y) => x % y,
        _ => throw CelValues.NoOverload(),
    };

    private static long Int(object? value) => value switch
    {
        long l => l,
        ulong u => u <= long.MaxValue ? (long)u : throw Overflow(),
        double d => d is > -9.2233720368547758e18 and < 9.2233720368547758e18 ? (long)d : throw Overflow(),
        string s when long.TryParse(s, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var parsed) => parsed,
        DateTimeOffset t => t.ToUnixTimeSeconds(),
        TimeSpan t => t.Ticks * 100,
        string s => throw new CelException($"type conversion error from 'string' to 'int': {s}"),
        _ => throw CelValues.NoOverload(),
    };

    private static ulong UInt(object? value) => value switch
    {
        ulong u => u,
        long l => l >= 0 ? (ulong)l : throw Overflow(),
        double d => d is >= 0 and < 1.8446744073709552e19 ? (ulong)d : throw Overflow(),
        string s when ulong.TryParse(s, NumberStyles.None, CultureInfo.InvariantCulture, out var parsed) => parsed,
        _ => throw CelValues.NoOverload(),
    };

    private static double Double(object? value) => value switch
    {
        double d => d,
        long l => (double)l,
        ulong u => (double)u,
        string s when double.TryParse(s, NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed) => parsed,
        _ => throw CelValues.NoOverload(),
    };
}
