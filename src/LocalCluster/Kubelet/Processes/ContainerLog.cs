using System.Globalization;
using System.Text;

namespace Opt.LocalCluster.Kubelet.Processes;

/// <summary>A container's log file in the CRI format: <c>time stream F text</c> a line, <c>P</c> for a part of a long one.</summary>
internal sealed class ContainerLog : IDisposable
{
    private const int LongestLine = 16 * 1024;
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.fffffff'00Z'";
    private readonly Lock _gate = new();
    private readonly FileStream _file;
    private readonly TimeProvider _clock;

    public ContainerLog(string path, TimeProvider clock)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        _file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        _clock = clock;
    }

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

    public void Dispose() => _file.Dispose();

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
            if (_file.CanWrite) _file.Write(line);
        }
    }
}
