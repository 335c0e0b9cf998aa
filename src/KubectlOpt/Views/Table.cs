using System.Text;

namespace Opt.KubectlOpt.Views;

/// <summary>Columns separated by three blanks, as kubectl prints them; nothing after the last column.</summary>
internal static class Table
{
    public static string Of(IReadOnlyList<string> headers, IEnumerable<IReadOnlyList<string>> rows)
    {
        IReadOnlyList<string>[] all = [headers, .. rows];
        var widths = headers.Select((_, column) => all.Max(r => r[column].Length)).ToArray();
        var text = new StringBuilder();
        foreach (var row in all)
        {
            var line = string.Concat(row.Select((cell, column) => cell.PadRight(widths[column] + 3)));
            text.Append(line.TrimEnd()).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>"Name:   value" lines, values aligned, as kubectl describe prints them.</summary>
    public static string Fields(IEnumerable<(string Name, string Value)> fields)
    {
        var all = fields.ToArray();
        var width = all.Max(f => f.Name.Length) + 1;
        return string.Concat(all.Select(f => $"{(f.Name + ":").PadRight(width)}  {f.Value}".TrimEnd() + "\n"));
    }
}
