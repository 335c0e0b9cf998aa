using Microsoft.Win32.SafeHandles;

namespace Opt.Trainer.Agent.Processes;

/// <summary>
/// Reads what a worker prints, on a thread of its own: to the pod's log with the rank in front, to a file in the run folder, and the last lines to
/// memory for the diagnosis of its end.
/// </summary>
internal sealed class WorkerOutput
{
    private const int TailLines = 50, LineLimit = 4096;
    private const long FileLimit = 64L << 20;
    private readonly Queue<string> _tail = new();
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public WorkerOutput(SafeFileHandle pipe, string prefix, string file, TextWriter log) =>
        new Thread(() => Pump(pipe, prefix, file, log)) { IsBackground = true, Name = $"output {prefix}" }.Start();

    /// <summary>Completes when everything was read.</summary>
    public Task Ended => _ended.Task;

    /// <summary>The last lines, oldest first.</summary>
    public IReadOnlyList<string> Tail
    {
        get
        {
            lock (_gate) return [.. _tail];
        }
    }

    private void Pump(SafeFileHandle pipe, string prefix, string file, TextWriter log)
    {
        try
        {
            using var input = new StreamReader(new FileStream(pipe, FileAccess.Read, bufferSize: 0));
            using var copy = OpenCopy(file, log);
            while (input.ReadLine() is { } line) Take(line.Length > LineLimit ? line[..LineLimit] + "..." : line, prefix, copy, log);
        }
        catch (IOException)
        {
            // The pipe broke: the worker is gone, which its waiter reports.
        }

        _ended.TrySetResult();
    }

    private void Take(string line, string prefix, StreamWriter? copy, TextWriter log)
    {
        lock (_gate)
        {
            _tail.Enqueue(line);
            if (_tail.Count > TailLines) _tail.Dequeue();
        }

        lock (log) log.WriteLine($"[{prefix}] {line}");
        if (copy is null || copy.BaseStream.Length > FileLimit) return;
        copy.WriteLine(line);
    }

    /// <summary>The copy is a convenience: a full run folder must not cost the log.</summary>
    private static StreamWriter? OpenCopy(string file, TextWriter log)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            return new StreamWriter(file, append: true) { AutoFlush = true };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            lock (log) log.WriteLine($"worker output is not kept at {file}: {e.Message}");
            return null;
        }
    }
}
