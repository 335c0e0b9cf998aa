using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Opt.Trainer.Agent.Processes;

/// <summary>
/// posix_spawn and its kin. Not System.Diagnostics.Process, which can neither make a process group before the program runs (so that a kill reaches
/// everything a worker started) nor pass on a socket.
/// </summary>
internal static partial class NativeProcess
{
    public const int SIGKILL = 9, SIGTERM = 15;
    private const int SIGPIPE = 13, EINTR = 4;
    private const int AF_UNIX = 1, SOCK_STREAM = 1, SOCK_CLOEXEC = 0x80000, O_CLOEXEC = 0x80000, O_RDONLY = 0;
    private const int P_PID = 1, WEXITED = 4, WNOWAIT = 0x1000000;
    private const short POSIX_SPAWN_SETPGROUP = 2, POSIX_SPAWN_SETSIGDEF = 4, POSIX_SPAWN_SETSIGMASK = 8;

    /// <summary>Room for posix_spawnattr_t (336 bytes), posix_spawn_file_actions_t (80) and sigset_t (128) of glibc and musl on 64 bits.</summary>
    private const int OpaqueBytes = 512;

    /// <summary>Both ends of a stream socket; neither is inherited unless passed on.</summary>
    public static unsafe (SafeSocketHandle Ours, SafeFileHandle Theirs) SocketPair()
    {
        var pair = stackalloc int[2];
        Check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
        return (new SafeSocketHandle(pair[0], ownsHandle: true), new(pair[1], ownsHandle: true));
    }

    /// <summary>Both ends of a pipe; neither is inherited unless passed on.</summary>
    public static unsafe (SafeFileHandle Read, SafeFileHandle Write) Pipe()
    {
        var pair = stackalloc int[2];
        Check(pipe2(pair, O_CLOEXEC), "pipe2");
        return (new(pair[0], ownsHandle: true), new(pair[1], ownsHandle: true));
    }

    /// <summary>
    /// Starts a program as the leader of its own process group, with default signals, nothing on standard input,
    /// <paramref name="output"/> as standard output and error, and <paramref name="channel"/> as descriptor <paramref name="channelAs"/>.
    /// </summary>
    /// <exception cref="IOException">It could not be started; the message says why.</exception>
    public static unsafe int Spawn(IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, SafeFileHandle output, SafeFileHandle channel, int channelAs)
    {
        var attributes = stackalloc byte[OpaqueBytes];
        var actions = stackalloc byte[OpaqueBytes];
        var signals = stackalloc byte[OpaqueBytes];
        Check(posix_spawnattr_init(attributes), "posix_spawnattr_init");
        Check(posix_spawn_file_actions_init(actions), "posix_spawn_file_actions_init");
        var arguments = Strings(command);
        var variables = Strings(environment.Select(e => $"{e.Key}={e.Value}"));
        try
        {
            Check(posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK), "posix_spawnattr_setflags");
            Check(posix_spawnattr_setpgroup(attributes, 0), "posix_spawnattr_setpgroup");
            Check(sigemptyset(signals), "sigemptyset");
            Check(posix_spawnattr_setsigmask(attributes, signals), "posix_spawnattr_setsigmask");
            Check(sigaddset(signals, SIGPIPE), "sigaddset");   // ignored in .NET, and ignored signals are inherited
            Check(posix_spawnattr_setsigdefault(attributes, signals), "posix_spawnattr_setsigdefault");
            Check(posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0), "addopen");
            Check(posix_spawn_file_actions_adddup2(actions, (int)output.DangerousGetHandle(), 1), "adddup2");
            Check(posix_spawn_file_actions_adddup2(actions, (int)output.DangerousGetHandle(), 2), "adddup2");
            Check(posix_spawn_file_actions_adddup2(actions, (int)channel.DangerousGetHandle(), channelAs), "adddup2");
            var error = posix_spawnp(out var pid, command[0], actions, attributes, arguments, variables);
            return error == 0 ? pid : throw new IOException($"{command[0]} could not be started: {Marshal.GetPInvokeErrorMessage(error)}");
        }
        finally
        {
            Free(arguments);
            Free(variables);
            _ = posix_spawn_file_actions_destroy(actions);
            _ = posix_spawnattr_destroy(attributes);
            GC.KeepAlive(output);
            GC.KeepAlive(channel);
        }
    }

    /// <summary>Blocks until the process has ended, and leaves it unreaped: its number, and that of its group, cannot be given to another yet.</summary>
    public static unsafe void WaitUntilEnded(int pid)
    {
        var info = stackalloc byte[OpaqueBytes];
        while (waitid(P_PID, pid, info, WEXITED | WNOWAIT) < 0 && Marshal.GetLastPInvokeError() == EINTR)
        {
        }
    }

    /// <summary>Reaps a process that has ended. Exactly one of code and signal is set (neither if somebody else reaped it).</summary>
    public static (int? Code, int? Signal) Reap(int pid)
    {
        int status;
        while (waitpid(pid, out status, 0) < 0)
        {
            if (Marshal.GetLastPInvokeError() != EINTR) return (null, null);
        }

        var signal = status & 0x7f;
        return signal == 0 ? ((status >> 8) & 0xff, null) : (null, signal);
    }

    /// <summary>Signals the whole group; nothing happens when it is gone.</summary>
    public static void SignalGroup(int leader, int signal) => _ = kill(-leader, signal);

    private static void Check(int result, string call)
    {
        if (result != 0) throw new IOException($"{call}: {Marshal.GetPInvokeErrorMessage(result > 0 ? result : Marshal.GetLastPInvokeError())}");
    }

    private static unsafe byte** Strings(IEnumerable<string> texts)
    {
        var list = texts.ToArray();
        var array = (byte**)NativeMemory.AllocZeroed((nuint)(list.Length + 1), (nuint)sizeof(byte*));
        for (var i = 0; i < list.Length; i++) array[i] = (byte*)Marshal.StringToCoTaskMemUTF8(list[i]);
        return array;
    }

    private static unsafe void Free(byte** array)
    {
        for (var i = 0; array[i] is not null; i++) Marshal.FreeCoTaskMem((nint)array[i]);
        NativeMemory.Free(array);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int socketpair(int domain, int type, int protocol, int* pair);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int pipe2(int* pair, int flags);

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawnattr_init(byte* attributes);

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawnattr_destroy(byte* attributes);

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawnattr_setflags(byte* attributes, short flags);

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawnattr_setpgroup(byte* attributes, int group);

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawnattr_setsigmask(byte* attributes, byte* signals);

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawnattr_setsigdefault(byte* attributes, byte* signals);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int sigemptyset(byte* signals);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int sigaddset(byte* signals, int signal);

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawn_file_actions_init(byte* actions);

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawn_file_actions_destroy(byte* actions);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int posix_spawn_file_actions_addopen(byte* actions, int fd, string path, int flags, uint mode);

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawn_file_actions_adddup2(byte* actions, int fd, int to);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int posix_spawnp(out int pid, string file, byte* actions, byte* attributes, byte** arguments, byte** environment);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int waitid(int kind, int id, byte* info, int options);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int waitpid(int pid, out int status, int options);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);
}
