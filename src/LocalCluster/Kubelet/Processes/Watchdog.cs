using System.Diagnostics;

namespace Opt.LocalCluster.Kubelet.Processes;

/// <summary>
/// A small shell process in a session of its own that outlives this one by a moment: when this process ends, even by SIGKILL, the pipe between them closes and
/// it kills everything that still carries this instance's marker.
/// </summary>
internal sealed class Watchdog : IDisposable
{
    private const string Script = """
        cat >/dev/null
        rounds=0
        while [ $rounds -lt 100 ]; do
          found=
          for file in /proc/[0-9]*/environ; do
            pid=${file#/proc/}; pid=${pid%/environ}
            if grep -qz "^OPT_LOCAL_CONTAINER=$1/" "$file" 2>/dev/null; then kill -9 "$pid" 2>/dev/null; found=1; fi
          done
          [ -z "$found" ] && exit 0
          rounds=$((rounds + 1)); sleep 0.05
        done
        """;

    private readonly Process _process;

    private Watchdog(Process process) => _process = process;

    public static Watchdog Start(string instance)
    {
        var start = new ProcessStartInfo("setsid") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var argument in (string[])["sh", "-c", Script, "opt-local-watchdog", instance]) start.ArgumentList.Add(argument);
        var process = Process.Start(start) ?? throw new InvalidOperationException("The process watchdog could not be started.");
        process.StandardOutput.Close();
        process.StandardError.Close();
        return new(process);
    }

    /// <summary>Lets it do its work now.</summary>
    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.Dispose();
    }

    /// <summary>Kills what earlier runs left behind: every process whose marker begins so.</summary>
    public static int KillOrphans(string markerPrefix)
    {
        var orphans = ProcessTable.WithMarker(markerPrefix).ToList();
        foreach (var pid in orphans) Signals.Send(pid, Signals.Kill);
        return orphans.Count;
    }
}
