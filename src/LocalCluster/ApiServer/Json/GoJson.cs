using System.Text;
using System.Text.Json;

namespace Opt.LocalCluster.ApiServer.Json;

/// <summary>JSON syntax errors in the words of Go's decoder, which users of Kubernetes know.</summary>
public static class GoJson
{
    public static string Message(JsonException error, ReadOnlySpan<byte> json)
    {
        var at = Offset(error, json);
        if (at >= TrimmedLength(json)) return "unexpected end of JSON input";
        return error.Message.StartsWith("invalid character", StringComparison.Ordinal) ? error.Message : $"invalid character {Quote(json[at])} looking for beginning of value";
    }

    private static int Offset(JsonException error, ReadOnlySpan<byte> json)
    {
        var line = error.LineNumber ?? 0;
        var start = 0;
        while (line-- > 0)
        {
            var next = json[start..].IndexOf((byte)'\n');
            if (next < 0) break;
            start += next + 1;
        }

        return (int)Math.Min(start + (error.BytePositionInLine ?? 0), json.Length);
    }

    private static int TrimmedLength(ReadOnlySpan<byte> json)
    {
        var length = json.Length;
        while (length > 0 && json[length - 1] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t') length--;
        return length;
    }

    private static string Quote(byte value) => value is >= 0x20 and < 0x7f ? $"'{Encoding.ASCII.GetString([value])}'" : $"'\\x{value:x2}'";
}
