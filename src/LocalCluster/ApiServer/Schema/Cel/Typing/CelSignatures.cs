using System.Collections.Frozen;

namespace Opt.LocalCluster.ApiServer.Schema.Cel.Typing;

/// <summary>The types of every operator and function: what it takes and what it gives. A method's receiver is its first argument.</summary>
internal static class CelSignatures
{
    // name(arguments) result; one capital letter is a type parameter. Methods begin with a dot.
    private const string Table = """
        _==_(A, A) bool
        _!=_(A, A) bool
        _&&_(bool, bool) bool
        _||_(bool, bool) bool
        !_(bool) bool
        _?_:_(bool, A, A) A
        _+_(int, int) int; (uint, uint) uint; (double, double) double; (string, string) string; (bytes, bytes) bytes; (list(A), list(A)) list(A); (timestamp, duration) timestamp; (duration, timestamp) timestamp; (duration, duration) duration
        _-_(int, int) int; (uint, uint) uint; (double, double) double; (timestamp, timestamp) duration; (timestamp, duration) timestamp; (duration, duration) duration
        _*_(int, int) int; (uint, uint) uint; (double, double) double
        _/_(int, int) int; (uint, uint) uint; (double, double) double
        _%_(int, int) int; (uint, uint) uint
        -_(int) int; (double) double
        @in(A, list(A)) bool; (A, map(A, B)) bool
        size(string) int; (bytes) int; (list(A)) int; (map(A, B)) int
        .size(string) int; (bytes) int; (list(A)) int; (map(A, B)) int
        int(int) int; (uint) int; (double) int; (string) int; (timestamp) int; (duration) int
        uint(uint) uint; (int) uint; (double) uint; (string) uint
        double(double) double; (int) double; (uint) double; (string) double
        string(string) string; (bool) string; (int) string; (uint) string; (double) string; (bytes) string; (timestamp) string; (duration) string
        bool(bool) bool; (string) bool
        bytes(bytes) bytes; (string) bytes
        duration(duration) duration; (string) duration
        timestamp(timestamp) timestamp; (string) timestamp; (int) timestamp
        type(A) type
        dyn(A) dyn
        .contains(string, string) bool
        .startsWith(string, string) bool
        .endsWith(string, string) bool
        .matches(string, string) bool
        matches(string, string) bool
        .charAt(string, int) string
        .indexOf(string, string) int; (string, string, int) int; (list(A), A) int
        .lastIndexOf(string, string) int; (list(A), A) int
        .lowerAscii(string) string
        .upperAscii(string) string
        .replace(string, string, string) string; (string, string, string, int) string
        .split(string, string) list(string); (string, string, int) list(string)
        .substring(string, int) string; (string, int, int) string
        .trim(string) string
        .reverse(string) string
        .join(list(string)) string; (list(string), string) string
        .format(string, list(dyn)) string
        .find(string, string) string
        .findAll(string, string) list(string); (string, string, int) list(string)
        .isSorted(list(A)) bool
        .sum(list(A)) A
        .min(list(A)) A
        .max(list(A)) A
        .slice(list(A), int, int) list(A)
        .distinct(list(A)) list(A)
        .flatten(list(list(A))) list(A); (list(dyn)) list(dyn)
        sets.contains(list(A), list(A)) bool
        sets.intersects(list(A), list(A)) bool
        sets.equivalent(list(A), list(A)) bool
        math.abs(int) int; (double) double; (uint) uint
        .getFullYear(timestamp) int
        .getMonth(timestamp) int
        .getDayOfMonth(timestamp) int
        .getDate(timestamp) int
        .getDayOfWeek(timestamp) int
        .getDayOfYear(timestamp) int
        .getHours(timestamp) int; (duration) int
        .getMinutes(timestamp) int; (duration) int
        .getSeconds(timestamp) int; (duration) int
        .getMilliseconds(timestamp) int; (duration) int
        quantity(string) quantity
        isQuantity(string) bool
        .sign(quantity) int
        .isGreaterThan(quantity, quantity) bool
        .isLessThan(quantity, quantity) bool
        .compareTo(quantity, quantity) int
        .add(quantity, quantity) quantity
        .sub(quantity, quantity) quantity
        .asInteger(quantity) int
        .asApproximateFloat(quantity) double
        isURL(string) bool
        isIP(string) bool
        isCIDR(string) bool
        optional.of(A) optional(A)
        optional.ofNonZeroValue(A) optional(A)
        optional.none() optional(dyn)
        .hasValue(optional(A)) bool
        .value(optional(A)) A
        .orValue(optional(A), A) A
        .or(optional(A), optional(A)) optional(A)
        """;

    private static readonly FrozenDictionary<string, Overload[]> All = Read();

    /// <summary>The overloads of a function; null when there is no function of that name and form.</summary>
    public static IReadOnlyList<Overload>? Of(string function, bool isMethod) => All.GetValueOrDefault(isMethod ? "." + function : function);

    private static FrozenDictionary<string, Overload[]> Read()
    {
        var table = new Dictionary<string, Overload[]>(StringComparer.Ordinal);
        foreach (var line in Table.Split('\n'))
        {
            var open = line.IndexOf('(', StringComparison.Ordinal);
            table[line[..open]] = [.. line[open..].Split("; ").Select(Parse)];
        }

        // Numbers of different types have an order, though no common equality.
        CelStaticType[] numbers = [CelStaticType.Int, CelStaticType.UInt, CelStaticType.Double];
        CelStaticType[] ordered = [CelStaticType.Bool, CelStaticType.String, CelStaticType.Bytes, CelStaticType.Timestamp, CelStaticType.Duration];
        Overload[] comparisons = [.. numbers.SelectMany(a => numbers.Select(b => new Overload([a, b], CelStaticType.Bool))), .. ordered.Select(t => new Overload([t, t], CelStaticType.Bool))];
        foreach (var name in (string[])["_<_", "_<=_", "_>_", "_>=_"]) table[name] = comparisons;
        return table.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private static Overload Parse(string text)
    {
        var reader = new TypeReader(text);
        return new Overload(reader.Arguments(), reader.Type());
    }

    /// <summary>Reads <c>(int, list(A)) bool</c>.</summary>
    private sealed class TypeReader(string text)
    {
        private int _at;

        public CelStaticType[] Arguments()
        {
            _at++;
            var types = new List<CelStaticType>();
            while (text[_at] != ')')
            {
                types.Add(Type());
                if (text[_at] == ',') _at++;
            }

            _at++;
            return [.. types];
        }

        public CelStaticType Type()
        {
            while (text[_at] == ' ') _at++;
            var start = _at;
            while (_at < text.Length && char.IsAsciiLetter(text[_at])) _at++;
            var name = text[start.._at];
            return name switch
            {
                "list" => new CelStaticType.ListOf(Arguments()[0]),
                "map" => Arguments() is [var key, var value] ? new CelStaticType.MapOf(key, value) : throw new FormatException(text),
                "optional" => new CelStaticType.OptionalOf(Arguments()[0]),
                "int" => CelStaticType.Int,
                "uint" => CelStaticType.UInt,
                "double" => CelStaticType.Double,
                "bool" => CelStaticType.Bool,
                "string" => CelStaticType.String,
                "bytes" => CelStaticType.Bytes,
                "dyn" => CelStaticType.Dyn,
                "type" => CelStaticType.Type,
                "timestamp" => CelStaticType.Timestamp,
                "duration" => CelStaticType.Duration,
                "quantity" => CelStaticType.Quantity,
                [>= 'A' and <= 'Z'] => new CelStaticType.Parameter(name),
                _ => throw new FormatException(text),
            };
        }
    }
}
