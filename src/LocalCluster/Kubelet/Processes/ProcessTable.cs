using System.Globalization;
using System.Text;

namespace Opt.LocalCluster.Kubelet.Processes;

/// <summary>
/// Finds processes by a variable in the environment they were started with. Every process of a container carries the container's marker, and so do all its
/// descendants unless they wipe their environment; unlike a process id, a marker is never reused.
/// </summary>
internal static class ProcessTable
{
    /// <summary>Set for every process of a container to <c>instance/pod uid/container/</c>; the slash at the end keeps names that begin alike apart.</summary>
    public const string Marker = "OPT_LOCAL_CONTAINER";

    public static IEnumerable<int> WithMarker(string valuePrefix)
    {
        var wanted = Encoding.UTF8.GetBytes($"{Marker}={valuePrefix}");
        return Pids().Where(pid => HasVariable(pid, wanted));
    }

    /// <summary>Living processes of a session (and so of every process group in it).</summary>
    public static IEnumerable<int> InSession(int session) => Pids().Where(pid => SessionOf(pid) == session);

    /// <summary>The command line, arguments separated by spaces; empty for a process that is gone.</summary>
    public static string CommandLine(int pid) =>
        Encoding.UTF8.GetString(Read(pid, "cmdline")).TrimEnd('\0').Replace('\0', ' ');

    private static IEnumerable<int> Pids() => Directory.EnumerateDirectories("/proc")
        .Select(path => int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? pid : 0)
        .Where(pid => pid > 0);

    private static bool HasVariable(int pid, byte[] wanted)
    {
        ReadOnlySpan<byte> environment = Read(pid, "environ");
        while (environment.Length > 0)
        {
            if (environment.StartsWith(wanted)) return true;
            var end = environment.IndexOf((byte)0);
            if (end < 0) return false;
            environment = environment[(end + 1)..];
        }

        return false;
    }

    private static int SessionOf(int pid)
    {
        // pid (name) state ppid pgrp session ...: the name may hold anything, so count from the last parenthesis.
        var stat = Encoding.UTF8.GetString(Read(pid, "stat"));
        var fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields is [not "Z", _, _, var session, ..] && int.TryParse(session, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : 0;
    }

    private static byte[] Read(int pid, string file)
    {
        try
        {
            return File.ReadAllBytes($"/proc/{pid}/{file}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];   // it exited meanwhile, or belongs to somebody else
        }
    }
}
