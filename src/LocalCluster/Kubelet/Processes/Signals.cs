using System.Runtime.InteropServices;

namespace Opt.LocalCluster.Kubelet.Processes;

/// <summary>Signals to processes. A process that is gone is no error: signals race with exits.</summary>
internal static partial class Signals
{
    public const int Kill = 9;
    public const int Terminate = 15;
    private const int NoSuchProcess = 3;

    private static readonly Dictionary<string, int> Numbers = new(StringComparer.Ordinal)
    {
        ["SIGHUP"] = 1, ["SIGINT"] = 2, ["SIGQUIT"] = 3, ["SIGABRT"] = 6, ["SIGKILL"] = 9, ["SIGUSR1"] = 10, ["SIGUSR2"] = 12, ["SIGTERM"] = 15,
    };

    /// <summary>The number of a signal's name, SIGTERM for one that is not known.</summary>
    public static int Named(string? name) => name is not null && Numbers.TryGetValue(name, out var number) ? number : Terminate;

    /// <summary>False when there is no such process.</summary>
    /// <exception cref="InvalidOperationException">The kernel refused for another reason.</exception>
    public static bool Send(int pid, int signal)
    {
        if (SysKill(pid, signal) == 0) return true;
        var error = Marshal.GetLastPInvokeError();
        return error == NoSuchProcess ? false : throw new InvalidOperationException($"kill({pid}, {signal}) failed: {Marshal.GetPInvokeErrorMessage(error)}");
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SysKill(int pid, int signal);
}
