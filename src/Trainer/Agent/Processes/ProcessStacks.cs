using System.Globalization;
using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Trainer.Agent.Processes;

/// <summary>
/// The threads of a process as the kernel tells them (proc(5)). A runtime's own stacks are not asked for: its diagnostic port needs a runtime that runs, and what
/// stands still often does not. Files that this process may not read are left out; none of those read here waits for the process' memory map.
/// </summary>
internal static class ProcessStacks
{
    private const int MostThreads = 64, MostFrames = 16, MostText = 120;

    /// <summary>Threads that say where training stands.</summary>
    private static readonly string[] s_first = ["training", "collectives"];

    /// <summary>State of the process' main thread; null when there is no such process.</summary>
    public static string? StateOf(int pid) => State(Folder(pid));

    public static EquatableList<ThreadStack> Threads(int pid)
    {
        try
        {
            var tasks = Directory.EnumerateDirectories(Path.Combine(Folder(pid), "task")).Take(1024)
                .Select(folder => (Folder: folder, Id: int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture), Name: Line(folder, "comm") ?? "")).ToArray();
            return [.. tasks.OrderBy(t => s_first.Contains(t.Name) ? 0 : 1).ThenBy(t => t.Id).Take(MostThreads).Select(t => Read(t.Folder, t.Id, t.Name))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];   // it ended meanwhile
        }
    }

    private static ThreadStack Read(string folder, int id, string name) => new()
    {
        Id = id,
        Name = name,
        State = State(folder) ?? "?",
        SleepsIn = Line(folder, "wchan") is { Length: > 1 } function ? function : null,
        SystemCall = Line(folder, "syscall"),
        Kernel = [.. (Text(folder, "stack") ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries).Take(MostFrames).Select(Bounded)],
    };

    // "1234 (name with ) in it) S 1 ...": the state follows the last bracket.
    private static string? State(string folder) => Text(folder, "stat") is { } stat && stat.LastIndexOf(')') is > 0 and var at && stat.Length > at + 2 ? stat[(at + 2)..(at + 3)] : null;

    private static string? Line(string folder, string file) => Text(folder, file)?.Split('\n')[0].Trim() is { Length: > 0 } line ? Bounded(line) : null;

    private static string Bounded(string text) => text.Length <= MostText ? text : text[..MostText];

    private static string? Text(string folder, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string Folder(int pid) => string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}");
}
