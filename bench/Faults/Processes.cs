using System.Runtime.InteropServices;

namespace Opt.Bench.Faults;

internal enum Signal { Kill = 9, Cont = 18, Stop = 19 }

/// <summary>One process of the cluster under test.</summary>
internal readonly partial record struct TargetProcess(int Id, string Pod)
{
    public void Signal(Signal signal)
    {
        if (!TrySignal(signal)) throw new InvalidOperationException($"process {Id} of {Pod} is gone");
    }

    /// <summary>False when it is gone.</summary>
    public bool TrySignal(Signal signal) => kill(Id, (int)signal) == 0;

    [LibraryImport("libc")]
    private static partial int kill(int pid, int signal);
}

/// <summary>The trainer's processes whose run folder lies in <paramref name="folder"/>: other clusters on this machine are left alone.</summary>
internal sealed class Processes(string folder)
{
    public TargetProcess Worker(int rank) => Find("worker", variables => variables.Contains($"OPT_RANK={rank}"));

    /// <summary>The agent whose pod runs that rank.</summary>
    public TargetProcess Agent(int rank)
    {
        var pod = Worker(rank).Pod;
        return Find("agent", variables => variables.Contains($"OPT_POD_NAME={pod}"));
    }

    private TargetProcess Find(string command, Func<string[], bool> which)
    {
        foreach (var process in Directory.GetDirectories("/proc").Where(d => int.TryParse(Path.GetFileName(d), out _)))
        {
            var (line, variables) = (Read(process, "cmdline"), Read(process, "environ"));
            if (line.Length < 2 || !line[0].EndsWith("opt-trainer", StringComparison.Ordinal) || line[1] != command) continue;
            if (!variables.Any(v => v.StartsWith($"OPT_RUN_DIR={folder}", StringComparison.Ordinal)) || !which(variables)) continue;
            return new(int.Parse(Path.GetFileName(process), System.Globalization.CultureInfo.InvariantCulture), variables.First(v => v.StartsWith("OPT_POD_NAME=", StringComparison.Ordinal))["OPT_POD_NAME=".Length..]);
        }

        throw new InvalidOperationException($"no {command} runs");
    }

    private static string[] Read(string process, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, file)).Split('\0');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];   // it ended meanwhile
        }
    }
}
