using System.Globalization;

namespace Opt.Trainer.Agent.Processes;

/// <summary>How often the kernel killed a process of this container for memory (cgroup v2).</summary>
internal static class MemoryEvents
{
    private const string EventsFile = "/sys/fs/cgroup/memory.events";

    /// <summary>0 where the kernel does not say.</summary>
    public static long OutOfMemoryKills()
    {
        try
        {
            var line = File.ReadLines(EventsFile).FirstOrDefault(l => l.StartsWith("oom_kill ", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.AsSpan("oom_kill ".Length), CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }
}
