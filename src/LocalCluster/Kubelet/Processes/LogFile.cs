using System.Text;

namespace Opt.LocalCluster.Kubelet.Processes;

/// <summary>Reads a log that may be rotated meanwhile. Whole lines only: one that is still being written is left for the next read.</summary>
internal sealed class LogFile : IDisposable
{
    // A rotation takes less than a millisecond: one that lasts for so many tries was cut off with its writer.
    private const int WriterIsGone = 1000;

    private readonly string _path;
    private FileStream _file;
    private byte[] _buffer = new byte[64 * 1024];
    private int _from;
    private int _to;
    private string? _aside;         // the file that is read has been put aside under this name; null while it is the present one
    private string? _newestBefore;  // the newest file put aside when the present one was opened
    private bool _rotated;

    public LogFile(string path)
    {
        _path = path;
        _file = OpenPresent();
    }

    /// <summary>The next line; null when there is none yet.</summary>
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
            if (read == 0 && !GoOn()) return null;
            _to += read;
        }
    }

    public void Dispose() => _file.Dispose();

    private void MakeRoom()
    {
        Array.Copy(_buffer, _from, _buffer, 0, _to - _from);
        (_to, _from) = (_to - _from, 0);
        if (_to == _buffer.Length) Array.Resize(ref _buffer, 2 * _buffer.Length);
    }

    // At the end of a file that was put aside, what came after is in the next one. What was written between the last read and the rotation is read first.
    private bool GoOn()
    {
        if (_aside is null && !_rotated) return _rotated = IsReplaced();
        var finished = _aside ?? Asides().FirstOrDefault(IsNewer);
        var (opened, next) = OpenAfter(finished);
        _file.Dispose();
        (_file, _aside, _rotated) = (opened, next, false);
        return true;
    }

    // The present file only when it comes right after the finished one: another may have been put aside while it was being opened.
    private (FileStream File, string? Aside) OpenAfter(string? finished)
    {
        while (true)
        {
            if (finished is not null && Asides().FirstOrDefault(name => string.CompareOrdinal(name, finished) > 0) is { } next) return (new FileStream(next, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete), next);
            var present = OpenPresent();
            if (finished is null || string.CompareOrdinal(_newestBefore, finished) <= 0) return (present, null);
            present.Dispose();
        }
    }

    // The kernel knows the name by which a file was opened, and that it is gone.
    private bool IsReplaced() =>
        new FileInfo($"/proc/self/fd/{_file.SafeFileHandle.DangerousGetHandle()}").LinkTarget is { } now && Path.GetFileName(now) != Path.GetFileName(_path) && File.Exists(_path);

    private bool IsNewer(string name) => _newestBefore is null || string.CompareOrdinal(name, _newestBefore) > 0;

    private FileStream OpenPresent()
    {
        for (var tried = 1; ; tried++)
        {
            var (before, rotating) = (Asides().LastOrDefault(), ContainerLog.IsRotating(_path));
            var file = new FileStream(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var settled = !rotating && !ContainerLog.IsRotating(_path);
            if (Asides().LastOrDefault() == before && (settled || tried == WriterIsGone))
            {
                _newestBefore = before;
                return file;
            }

            file.Dispose();   // rotated in between: which one it is cannot be told
        }
    }

    private IEnumerable<string> Asides() => ContainerLog.AsidesOf(_path);
}
