using System.Text;

namespace Opt.KubectlOpt.Views;

/// <summary>Columns separated by three blanks, as kubectl prints them; nothing after the last column.</summary>
internal static class Table
{
    /// <summary>Letters below which wrapped text would be a thin column.</summary>
    private const int LeastText = 32;

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

    /// <summary>As <see cref="Of(IReadOnlyList{string}, IEnumerable{IReadOnlyList{string}})"/>, but the last column is wrapped at words so that no line is longer than <paramref name="width"/>; where too little is left for it, it goes below.</summary>
    public static string Of(IReadOnlyList<string> headers, IEnumerable<IReadOnlyList<string>> rows, int? width)
    {
        IReadOnlyList<string>[] all = [.. rows];
        if (width is not { } columns) return Of(headers, all);
        var last = headers.Count - 1;
        var widths = Enumerable.Range(0, last).Select(column => all.Append(headers).Max(r => r[column].Length)).ToArray();
        var indent = widths.Sum(w => w + 3);
        var isBelow = columns - indent < LeastText;
        var (margin, text) = (isBelow ? 4 : indent, new StringBuilder());
        Line(headers, [headers[last]]);
        foreach (var row in all) Line(row, Wrap(row[last], Math.Max(LeastText, columns - margin)));
        return text.ToString();

        void Line(IReadOnlyList<string> row, IEnumerable<string> lines)
        {
            var first = string.Concat(row.Take(last).Select((cell, column) => cell.PadRight(widths[column] + 3)));
            if (isBelow) text.Append(first.TrimEnd()).Append('\n');
            foreach (var (i, line) in lines.Index()) text.Append(((i == 0 && !isBelow ? first : new string(' ', margin)) + line).TrimEnd()).Append('\n');
        }
    }

    /// <summary>Lines of at most so many letters, broken at blanks; a word that is longer is broken within.</summary>
    private static List<string> Wrap(string text, int width)
    {
        var lines = new List<string>();
        foreach (var paragraph in text.Split('\n'))
        {
            var rest = paragraph;
            while (rest.Length > width)
            {
                var at = rest.LastIndexOf(' ', width);
                lines.Add(rest[..(at > 0 ? at : width)]);
                rest = rest[(at > 0 ? at + 1 : width)..];
            }

            lines.Add(rest);
        }

        return lines;
    }

    /// <summary>"Name:   value" lines, values aligned, as kubectl describe prints them.</summary>
    public static string Fields(IEnumerable<(string Name, string Value)> fields)
    {
        var all = fields.ToArray();
        var width = all.Max(f => f.Name.Length) + 1;
        return string.Concat(all.Select(f => $"{(f.Name + ":").PadRight(width)}  {f.Value}".TrimEnd() + "\n"));
    }
}
