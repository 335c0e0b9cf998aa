using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Trainer.Workers;

namespace Opt.Trainer.Tests.Loop;

/// <summary><c>opt-trainer</c> as a process of its own.</summary>
internal static class TrainProcess
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    /// <summary>Starts it; threads are limited to one, for ranks that share two cores.</summary>
    public static Process Start(params string[] arguments) => Start(new Dictionary<string, string>(), arguments);

    /// <param name="variables">Added to the environment.</param>
    public static Process Start(IReadOnlyDictionary<string, string> variables, string[] arguments)
    {
        var info = new ProcessStartInfo("dotnet", [typeof(TrainerException).Assembly.Location, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        (info.Environment["OMP_NUM_THREADS"], info.Environment["OPENBLAS_NUM_THREADS"]) = ("1", "1");
        foreach (var (name, value) in variables) info.Environment[name] = value;
        return Process.Start(info)!;
    }

    /// <summary>Process ids of the workers a process started, by rank.</summary>
    public static Dictionary<int, int> Children(int parent) => Directory.EnumerateDirectories("/proc")
        .Select(folder => int.TryParse(Path.GetFileName(folder), out var pid) ? pid : 0)
        .Where(pid => pid > 0 && ParentOf(pid) == parent)
        .ToDictionary(RankOf);

    private static int ParentOf(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;   // gone meanwhile
        }
    }

    private static int RankOf(int pid) => int.Parse(
        File.ReadAllText($"/proc/{pid}/environ").Split('\0').First(v => v.StartsWith($"{WorkerEnvironment.RankVariable}=", StringComparison.Ordinal)).Split('=')[1], CultureInfo.InvariantCulture);

    /// <summary>Waits for its end.</summary>
    public static async Task<(int ExitCode, string Error)> EndAsync(Process process, CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        var output = process.StandardOutput.ReadToEndAsync(both.Token);
        var error = await process.StandardError.ReadToEndAsync(both.Token);
        await output;
        await process.WaitForExitAsync(both.Token);
        return (process.ExitCode, error);
    }

    public static Task<(int ExitCode, string Error)> RunAsync(CancellationToken ct, params string[] arguments) => EndAsync(Start(arguments), ct);

    public static StepRecord[] Steps(string file) => [.. File.ReadLines(file).Select(l => JsonSerializer.Deserialize(l, ProtocolJson.Default.StepRecord)!)];
}
