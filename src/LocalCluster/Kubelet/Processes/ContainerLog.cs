using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Opt.LocalCluster.Kubelet.Processes;

/// <summary>A container's log file in the CRI format: <c>time stream F text</c> a line, <c>P</c> for a part of a long one.</summary>
internal sealed partial class ContainerLog : IDisposable
{
    private const int LongestLine = 16 * 1024;
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.fffffff'00Z'";
    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly LogLimits _limits;
    private readonly TimeProvider _clock;
    private FileStream _file;
    private long _length;
    private bool _closed;

    public ContainerLog(string path, TimeProvider clock, LogLimits? limits = null)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        (_path, _clock, _limits) = (path, clock, limits ?? new LogLimits());
        _file = Open(path);
    }

    /// <summary>Removes the logs of a container's runs before the last one: only that one can be asked for.</summary>
    public static void Prune(string folder, int restart)
    {
        if (!Directory.Exists(folder)) return;
        foreach (var file in Directory.EnumerateFiles(folder))
        {
            var name = Path.GetFileName(file);
            if (int.TryParse(name.AsSpan(0, name.IndexOf('.', StringComparison.Ordinal)), NumberStyles.None, CultureInfo.InvariantCulture, out var run) && run < restart - 1) File.Delete(file);
        }
    }

    /// <summary>The files that a log was rotated to, oldest first.</summary>
    public static IReadOnlyList<string> AsidesOf(string path) =>
        [.. Directory.EnumerateFiles(Path.GetDirectoryName(path)!).Where(file => file.StartsWith(path + ".0", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    /// <summary>True while the present file may also be the newest one put aside.</summary>
    public static bool IsRotating(string path) => File.Exists(NewOf(path));

    /// <summary>Copies a stream into the log until it ends.</summary>
    public async Task PumpAsync(Stream stream, string name)
    {
        var buffer = new byte[LongestLine];
        var held = 0;
        int read;
        while ((read = await stream.ReadAsync(buffer.AsMemory(held))) > 0)
        {
            held = WriteLines(buffer, held + read, name);
        }

        if (held > 0) Write(buffer.AsSpan(0, held), name, whole: true);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _closed = true;
            _file.Dispose();
        }
    }

    private static string NewOf(string path) => path + ".new";

    private static FileStream Open(string path) => new(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);

    // Writes the whole lines in the buffer and moves the rest to its front; returns how much is left.
    private int WriteLines(byte[] buffer, int length, string name)
    {
        var from = 0;
        int end;
        while ((end = Array.IndexOf(buffer, (byte)'\n', from, length - from)) >= 0)
        {
            Write(buffer.AsSpan(from, end - from), name, whole: true);
            from = end + 1;
        }

        if (from == 0 && length == buffer.Length)
        {
            Write(buffer, name, whole: false);
            return 0;
        }

        Array.Copy(buffer, from, buffer, 0, length - from);
        return length - from;
    }

    private void Write(ReadOnlySpan<byte> text, string name, bool whole)
    {
        var head = $"{_clock.GetUtcNow().UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture)} {name} {(whole ? 'F' : 'P')} ";
        var line = new byte[head.Length + text.Length + 1];
        Encoding.ASCII.GetBytes(head, line);
        text.CopyTo(line.AsSpan(head.Length));
        line[^1] = (byte)'\n';
        lock (_gate)
        {
            if (_closed) return;
            if (_length > 0 && _length + line.Length > _limits.MaxBytes && whole) Rotate();
            _file.Write(line);
            _length += line.Length;
        }
    }

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Link(string existing, string name);

    // The full file gets a name that sorts by time; whoever reads it follows to the new one.
    private void Rotate()
    {
        // A second name for the full one, then the new one over the first name: at no moment is there no log. While both names are the full one's, the new one is
        // there under its own name, which tells readers.
        var fresh = Open(NewOf(_path));
        if (Link(_path, $"{_path}.{_clock.GetUtcNow().UtcTicks:D20}") != 0) throw new IOException($"{_path} cannot be rotated: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        File.Move(NewOf(_path), _path, overwrite: true);
        _file.Dispose();
        (_file, _length) = (fresh, 0);
        foreach (var old in AsidesOf(_path).SkipLast(_limits.MaxFiles - 1)) File.Delete(old);
    }
}
