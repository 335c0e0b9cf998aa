using System.Runtime.InteropServices;

namespace Opt.LocalCluster.Kubelet.Processes;

/// <summary>Finds programs as execvp does.</summary>
internal static partial class Executable
{
    private const int ExecuteOk = 1;

    public static bool IsRunnable(string path) => File.Exists(path) && Access(path, ExecuteOk) == 0;

    /// <summary>The absolute path of a command: itself when it holds a slash, else the first match on <paramref name="searchPath"/>; null when there is none.</summary>
    public static string? Resolve(string command, string workingDirectory, string searchPath)
    {
        if (command.Contains('/', StringComparison.Ordinal)) return Path.GetFullPath(command, workingDirectory);
        return searchPath.Split(':', StringSplitOptions.RemoveEmptyEntries).Select(folder => Path.Combine(folder, command)).FirstOrDefault(IsRunnable);
    }

    [LibraryImport("libc", EntryPoint = "access", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Access(string path, int mode);
}
