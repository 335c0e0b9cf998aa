using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Opt.LocalCluster.ApiServer;

namespace Opt.LocalCluster.Kubelet.Processes;

/// <summary>Reads a container's log file back, optionally following it.</summary>
internal static class LogReader
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    /// <summary>The lines as clients see them, each with its line end.</summary>
    /// <param name="ended">Whether nothing more will be written; asked before each last read of a follow.</param>
    public static async IAsyncEnumerable<string> ReadAsync(string path, PodLogOptions query, Func<bool> ended, TimeProvider clock, [EnumeratorCancellation] CancellationToken ct)
    {
        var left = query.LimitBytes ?? long.MaxValue;
        await foreach (var text in SelectAsync(path, query, ended, clock, ct))
        {
            var taken = Cut(text, left);
            left -= Encoding.UTF8.GetByteCount(taken);
            if (taken.Length > 0) yield return taken;
            if (left <= 0) yield break;
        }
    }

    private static async IAsyncEnumerable<string> SelectAsync(string path, PodLogOptions query, Func<bool> ended, TimeProvider clock, [EnumeratorCancellation] CancellationToken ct)
    {
        using var file = new LogFile(path);
        var parser = new LineParser(query);
        var history = new List<string>();
        while (await file.ReadLineAsync(ct) is { } line)
        {
            if (parser.Take(line) is { } text) history.Add(text);
        }

        foreach (var text in query.TailLines is { } tail ? history.TakeLast((int)Math.Min(tail, int.MaxValue)) : history) yield return text;
        while (query.Follow)
        {
            var last = ended();   // asked first: what was written before the end is still read below
            while (await file.ReadLineAsync(ct) is { } line)
            {
                if (parser.Take(line) is { } text) yield return text;
            }

            if (last) yield break;
            await Task.Delay(Poll, clock, ct);
        }
    }

    private static string Cut(string text, long bytes) =>
        Encoding.UTF8.GetByteCount(text) <= bytes ? text : Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text).AsSpan(0, (int)bytes));

    private sealed class LineParser(PodLogOptions query)
    {
        private string _parts = "";

        /// <summary>The line for the client, or null when it is filtered out or only a part so far.</summary>
        public string? Take(string line)
        {
            // time stream tag text
            var fields = line.Split(' ', 4);
            if (fields.Length < 4) return null;
            _parts += fields[3];
            if (fields[2] == "P") return null;
            var text = _parts;
            _parts = "";
            if (query.Since is { } since && DateTimeOffset.TryParse(fields[0], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) && at < since) return null;
            return query.Timestamps ? $"{fields[0]} {text}\n" : $"{text}\n";
        }
    }
}
