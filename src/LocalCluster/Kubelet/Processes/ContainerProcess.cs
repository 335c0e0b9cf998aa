using System.Diagnostics;

namespace Opt.LocalCluster.Kubelet.Processes;

/// <summary>
/// A container's main process in a session of its own. When it exits, however that happens, everything it started is killed, as the end of
/// a process-id namespace would. Exit codes are those a container runtime reports: 128 + n for signal n.
/// </summary>
internal sealed class ContainerProcess : IDisposable
{
    private readonly Process _process;
    private readonly string _marker;

    private ContainerProcess(Process process, string marker, Task<int> exited)
    {
        _process = process;
        _marker = marker;
        Exited = exited;
        Id = process.Id;
    }

    public int Id { get; }

    /// <summary>Completes with the exit code when the process and all its descendants are gone and its output has been read.</summary>
    public Task<int> Exited { get; }

    /// <summary>Starts the process; its output goes line by line to <paramref name="log"/>.</summary>
    /// <exception cref="IOException">The executable cannot be started; the message says why.</exception>
    public static ContainerProcess Start(ProcessSpec spec, ContainerLog log, TimeProvider clock)
    {
        var process = Launch(spec);
        var output = Task.WhenAll(
            log.PumpAsync(process.StandardOutput.BaseStream, "stdout"),
            log.PumpAsync(process.StandardError.BaseStream, "stderr"));
        return new(process, spec.Marker, WaitAsync(process, spec.Marker, output, clock));
    }

    /// <summary>To the main process only, as a runtime does: what it started is its own affair until it exits.</summary>
    public void Signal(int signal)
    {
        if (!Exited.IsCompleted) Signals.Send(Id, signal);
    }

    /// <summary>Kills the process and everything it started.</summary>
    public void Kill() => KillAll(Id, _marker);

    public void Dispose() => _process.Dispose();

    private static Process Launch(ProcessSpec spec)
    {
        if (!File.Exists(spec.Executable)) throw new FileNotFoundException($"exec: \"{spec.Executable}\": stat {spec.Executable}: no such file or directory");
        if (!Executable.IsRunnable(spec.Executable)) throw new IOException($"exec: \"{spec.Executable}\": permission denied");
        var start = new ProcessStartInfo("setsid")   // becomes a session leader and then the program itself, under the same process id
        {
            WorkingDirectory = spec.WorkingDirectory, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        };
        start.ArgumentList.Add(spec.Executable);
        foreach (var argument in spec.Arguments) start.ArgumentList.Add(argument);
        start.Environment.Clear();
        foreach (var (name, value) in spec.Environment) start.Environment[name] = value;
        start.Environment[ProcessTable.Marker] = spec.Marker;
        Process process;
        try
        {
            process = Process.Start(start) ?? throw new IOException($"exec: \"{spec.Executable}\": no process was started");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new IOException($"exec: \"{spec.Executable}\": {e.Message}", e);
        }

        process.StandardInput.Close();
        return process;
    }

    private static async Task<int> WaitAsync(Process process, string marker, Task output, TimeProvider clock)
    {
        await process.WaitForExitAsync();
        var code = process.ExitCode;
        KillAll(process.Id, marker);

        // The pipes close with the last holder; a descendant that wiped its environment must not hold the container's end up.
        await output.WaitAsync(TimeSpan.FromSeconds(2), clock).ContinueWith(_ => { }, TaskScheduler.Default);
        return code;
    }

    // Until nothing is found: a process that forks while being looked for is caught in the next round.
    private static void KillAll(int session, string marker)
    {
        for (var round = 0; round < 20; round++)
        {
            var found = false;
            foreach (var pid in ProcessTable.InSession(session).Concat(ProcessTable.WithMarker(marker)).Distinct()) found |= Signals.Send(pid, Signals.Kill);
            if (!found) return;
        }
    }
}
