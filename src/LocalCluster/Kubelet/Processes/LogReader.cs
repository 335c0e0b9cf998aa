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

    /// <summary>Whole lines only: one that is still being written is left for the next read.</summary>
    private sealed class LogFile(string path) : IDisposable
    {
        private FileStream _file = Open(path);
        private bool _rotated;
        private byte[] _buffer = new byte[64 * 1024];
        private int _from;
        private int _to;

        public async Task<string?> ReadLineAsync(CancellationToken ct)
        {
            while (true)
            {
                var end = Array.IndexOf(_buffer, (byte)'\n', _from, _to - _from);
                if (end >= 0)
                {
                    var line = Encoding.UTF8.GetString(_buffer, _from, end - _from);
                    _from = end + 1;
                    return line;
                }

                MakeRoom();
                var read = await _file.ReadAsync(_buffer.AsMemory(_to), ct);
                if (read == 0 && !await GoOnAsync()) return null;
                _to += read;
            }
        }

        // At the end of a file that was put aside, what came after is in the one that has its name now. What was written between the last read and the rotation is
        // read first.
        private async ValueTask<bool> GoOnAsync()
        {
            if (_rotated)
            {
                var next = Open(path);
                await _file.DisposeAsync();
                (_file, _rotated) = (next, false);
                return true;
            }

            _rotated = new FileInfo($"/proc/self/fd/{_file.SafeFileHandle.DangerousGetHandle()}").LinkTarget is { } now && Path.GetFileName(now) != Path.GetFileName(path) && File.Exists(path);
            return _rotated;
        }

        private static FileStream Open(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

        public void Dispose() => _file.Dispose();

        private void MakeRoom()
        {
            Array.Copy(_buffer, _from, _buffer, 0, _to - _from);
            (_to, _from) = (_to - _from, 0);
            if (_to == _buffer.Length) Array.Resize(ref _buffer, 2 * _buffer.Length);
        }
    }

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
