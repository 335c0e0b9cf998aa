using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Opt.LocalCluster.ApiServer.Schema.Cel;

/// <summary>The functions that Kubernetes adds to the standard ones.</summary>
internal static class CelLibraries
{
    public static bool Call(string function, object?[] arguments, out object? result)
    {
        var answer = Strings(function, arguments) ?? Lists(function, arguments) ?? Times(function, arguments) ?? Others(function, arguments);
        result = answer?.Value;
        return answer is not null;
    }

    // A function that gives null is told apart from one that is not there.
    private sealed record Answer(object? Value);

    private static Answer? Strings(string function, object?[] arguments) => (function, arguments) switch
    {
        ("charAt", [string s, long i]) => new(i >= 0 && i < s.Length ? s[(int)i].ToString() : i == s.Length ? "" : throw Bounds(i)),
        ("indexOf", [string s, string t]) => new((long)s.IndexOf(t, StringComparison.Ordinal)),
        ("indexOf", [string s, string t, long from]) when from >= 0 && from <= s.Length => new((long)s.IndexOf(t, (int)from, StringComparison.Ordinal)),
        ("lastIndexOf", [string s, string t]) => new((long)s.LastIndexOf(t, StringComparison.Ordinal)),
        ("lowerAscii", [string s]) => new(string.Concat(s.Select(c => char.IsAscii(c) ? char.ToLowerInvariant(c) : c))),
        ("upperAscii", [string s]) => new(string.Concat(s.Select(c => char.IsAscii(c) ? char.ToUpperInvariant(c) : c))),
        ("replace", [string s, string old, string with]) => new(Replace(s, old, with, -1)),
        ("replace", [string s, string old, string with, long times]) => new(Replace(s, old, with, times)),
        ("split", [string s, string by]) => new(ListOf(Split(s, by, -1))),
        ("split", [string s, string by, long parts]) => new(ListOf(Split(s, by, parts))),
        ("substring", [string s, long from]) => new(Substring(s, from, s.Length)),
        ("substring", [string s, long from, long to]) => new(Substring(s, from, to)),
        ("trim", [string s]) => new(s.Trim()),
        ("reverse", [string s]) => new(string.Concat(s.Reverse())),
        ("join", [CelListValue list]) => new(string.Concat(list.Items.Select(CelValues.Text))),
        ("join", [CelListValue list, string by]) => new(string.Join(by, list.Items.Select(CelValues.Text))),
        ("format", [string s, CelListValue list]) => new(Format(s, list)),
        ("find", [string s, string pattern]) => new(CelRegex.Of(pattern).Match(s).Value),
        ("findAll", [string s, string pattern]) => new(ListOf(CelRegex.Of(pattern).Matches(s).Select(m => m.Value))),
        ("findAll", [string s, string pattern, long max]) => new(ListOf(CelRegex.Of(pattern).Matches(s).Take((int)Math.Clamp(max, 0, int.MaxValue)).Select(m => m.Value))),
        _ => null,
    };

    private static Answer? Lists(string function, object?[] arguments) => (function, arguments) switch
    {
        ("isSorted", [CelListValue list]) => new(list.Items.Zip(list.Items.Skip(1)).All(p => CelValues.Compare(p.First, p.Second) <= 0)),
        ("sum", [CelListValue { Items.Count: 0 }]) => new(0L),
        ("sum", [CelListValue list]) => new(list.Items.Aggregate((a, b) => CelFunctions.Call("_+_", [a, b]))),
        ("min", [CelListValue { Items.Count: > 0 } list]) => new(list.Items.Aggregate((a, b) => CelValues.Compare(a, b) <= 0 ? a : b)),
        ("max", [CelListValue { Items.Count: > 0 } list]) => new(list.Items.Aggregate((a, b) => CelValues.Compare(a, b) >= 0 ? a : b)),
        ("min" or "max", [CelListValue]) => throw new CelException($"{function} called on empty list"),
        ("indexOf", [CelListValue list, var item]) => new((long)list.Items.ToList().FindIndex(i => CelValues.AreEqual(i, item))),
        ("lastIndexOf", [CelListValue list, var item]) => new((long)list.Items.ToList().FindLastIndex(i => CelValues.AreEqual(i, item))),
        ("slice", [CelListValue list, long from, long to]) when from >= 0 && from <= to && to <= list.Items.Count => new(new CelListValue([.. list.Items.Skip((int)from).Take((int)(to - from))])),
        ("distinct", [CelListValue list]) => new(new CelListValue(Distinct(list.Items))),
        ("flatten", [CelListValue list]) => new(new CelListValue([.. list.Items.SelectMany(i => i is CelListValue inner ? inner.Items : [i])])),
        ("sets.contains", [CelListValue a, CelListValue b]) => new(b.Items.All(i => In(i, a))),
        ("sets.intersects", [CelListValue a, CelListValue b]) => new(a.Items.Any(i => In(i, b))),
        ("sets.equivalent", [CelListValue a, CelListValue b]) => new(a.Items.All(i => In(i, b)) && b.Items.All(i => In(i, a))),
        ("math.greatest", [CelListValue list]) => Lists("max", [list]),
        ("math.least", [CelListValue list]) => Lists("min", [list]),
        ("math.greatest", { Length: > 0 }) => Lists("max", [new CelListValue(arguments)]),
        ("math.least", { Length: > 0 }) => Lists("min", [new CelListValue(arguments)]),
        ("math.abs", [long.MinValue]) => throw CelFunctions.Overflow(),
        ("math.abs", [long a]) => new(Math.Abs(a)),
        ("math.abs", [double a]) => new(Math.Abs(a)),
        _ => null,
    };

    private static Answer? Times(string function, object?[] arguments) => (function, arguments) switch
    {
        ("getFullYear", [DateTimeOffset t]) => new((long)t.Year),
        ("getMonth", [DateTimeOffset t]) => new((long)t.Month - 1),
        ("getDayOfMonth", [DateTimeOffset t]) => new((long)t.Day - 1),
        ("getDate", [DateTimeOffset t]) => new((long)t.Day),
        ("getDayOfWeek", [DateTimeOffset t]) => new((long)t.DayOfWeek),
        ("getDayOfYear", [DateTimeOffset t]) => new((long)t.DayOfYear - 1),
        ("getHours", [DateTimeOffset t]) => new((long)t.Hour),
        ("getMinutes", [DateTimeOffset t]) => new((long)t.Minute),
        ("getSeconds", [DateTimeOffset t]) => new((long)t.Second),
        ("getMilliseconds", [DateTimeOffset t]) => new((long)t.Millisecond),
        ("getHours", [TimeSpan t]) => new((long)t.TotalHours),
        ("getMinutes", [TimeSpan t]) => new((long)t.TotalMinutes),
        ("getSeconds", [TimeSpan t]) => new((long)t.TotalSeconds),
        ("getMilliseconds", [TimeSpan t]) => new((long)t.TotalMilliseconds),
        _ => null,
    };

    private static Answer? Others(string function, object?[] arguments) => (function, arguments) switch
    {
        ("quantity", [string s]) => new(Quantity.TryParse(s, out var q) ? q : throw new CelException(Quantity.Rule)),
        ("isQuantity", [string s]) => new(Quantity.TryParse(s, out _)),
        ("sign", [Quantity q]) => new((long)q.Nano.Sign),
        ("isGreaterThan", [Quantity a, Quantity b]) => new(a.Nano > b.Nano),
        ("isLessThan", [Quantity a, Quantity b]) => new(a.Nano < b.Nano),
        ("compareTo", [Quantity a, Quantity b]) => new((long)a.Nano.CompareTo(b.Nano)),
        ("add", [Quantity a, Quantity b]) => new(a with { Nano = a.Nano + b.Nano }),
        ("sub", [Quantity a, Quantity b]) => new(a with { Nano = a.Nano - b.Nano }),
        ("asInteger", [Quantity a]) => new((long)(a.Nano / 1_000_000_000)),
        ("asApproximateFloat", [Quantity a]) => new((double)a.Nano / 1e9),
        ("isURL", [string s]) => new(Uri.TryCreate(s, UriKind.Absolute, out _)),
        ("isIP", [string s]) => new(System.Net.IPAddress.TryParse(s, out _)),
        ("isCIDR", [string s]) => new(System.Net.IPNetwork.TryParse(s, out _)),
        ("optional.of", [var a]) => new(new CelOptional(true, a)),
        ("optional.ofNonZeroValue", [var a]) => new(a is null or false or 0L or 0UL or 0d or "" ? CelOptional.None : new CelOptional(true, a)),
        ("optional.none", []) => new(CelOptional.None),
        ("hasValue", [CelOptional o]) => new(o.HasValue),
        ("value", [CelOptional o]) => new(o.HasValue ? o.Value : throw new CelException("optional.none() dereference")),
        ("orValue", [CelOptional o, var other]) => new(o.HasValue ? o.Value : other),
        ("or", [CelOptional o, CelOptional other]) => new(o.HasValue ? o : other),
        _ => null,
    };

    private static bool In(object? item, CelListValue list) => list.Items.Any(i => CelValues.AreEqual(i, item));

    private static List<object?> Distinct(IReadOnlyList<object?> items)
    {
        var result = new List<object?>();
        foreach (var item in items)
        {
            if (!result.Any(r => CelValues.AreEqual(r, item))) result.Add(item);
        }

        return result;
    }

    private static CelListValue ListOf(IEnumerable<string> texts) => new([.. texts]);

    private static CelException Bounds(long index) => new($"index out of range: {index}");

    private static string Substring(string text, long from, long to) =>
        from >= 0 && from <= to && to <= text.Length ? text[(int)from..(int)to] : throw Bounds(from);

    private static IEnumerable<string> Split(string text, string by, long parts)
    {
        if (parts == 0) return [];
        var limit = parts < 0 ? int.MaxValue : (int)Math.Min(parts, int.MaxValue);
        return by.Length == 0 ? text.Select(c => c.ToString()) : text.Split(by, limit);
    }

    private static string Replace(string text, string old, string with, long times)
    {
        if (times < 0) return old.Length == 0 ? text : text.Replace(old, with, StringComparison.Ordinal);
        var result = new StringBuilder();
        var at = 0;
        while (times-- > 0 && old.Length > 0 && text.IndexOf(old, at, StringComparison.Ordinal) is >= 0 and var next)
        {
            result.Append(text, at, next - at).Append(with);
            at = next + old.Length;
        }

        return result.Append(text, at, text.Length - at).ToString();
    }

    private static string Format(string text, CelListValue values)
    {
        var next = 0;
        return Verb().Replace(text, match =>
        {
            if (match.Value == "%%") return "%";
            if (next >= values.Items.Count) throw new CelException($"index {next} out of range");
            var value = values.Items[next++];
            return match.Value[^1] switch
            {
                'd' or 's' => Printed(value),
                'f' or 'e' => Convert.ToDouble(value, CultureInfo.InvariantCulture).ToString(match.Value[^1] == 'f' ? "F6" : "e6", CultureInfo.InvariantCulture),
                'x' when value is long whole => whole.ToString("x", CultureInfo.InvariantCulture),
                'b' when value is long whole => Convert.ToString(whole, 2),
                'o' when value is long whole => Convert.ToString(whole, 8),
                _ => throw CelValues.NoOverload(),
            };
        });
    }

    private static string Printed(object? value) => value switch
    {
        null => "null",
        CelListValue list => $"[{string.Join(", ", list.Items.Select(Printed))}]",
        CelMapValue map => $"{{{string.Join(", ", map.Keys.Select(k => $"{Printed(k)}: {Printed(map.Get(k))}").Order(StringComparer.Ordinal))}}}",
        Quantity quantity => quantity.ToString(),
        _ => CelValues.Text(value),
    };

    private static Regex Verb() => CelRegex.Of("%(%|[0-9.]*[a-zA-Z])");
}
