using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Opt.Api.Protocol;
using Opt.Trainer.Workers;

namespace Opt.Trainer.Cli;

/// <summary>Starts the ranks of <c>opt-trainer train</c> as processes of this machine and waits for them.</summary>
internal sealed partial class LocalRanks(TimeProvider time)
{
    private const int SIGTERM = 15;

    /// <summary>How long ranks may take to say why they end after one of them failed; most see the lost connection at once.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>Exit codes of processes that a signal ended begin here.</summary>
    private const int SignalBase = 128;

    /// <param name="arguments">Further arguments of each worker.</param>
    /// <returns>Success when all ranks say so; else the first exit that is not a consequence (peer-lost) of another; 128 + n for signal n.</returns>
    public async Task<int> RunAsync(int workers, string planFile, string dataRoot, string runDirectory, IReadOnlyList<string> arguments, CancellationToken ct)
    {
        var ranks = Enumerable.Range(0, workers).Select(rank => Start(rank, workers, planFile, dataRoot, runDirectory, arguments)).ToList();
        await using var stop = ct.Register(() => ranks.ForEach(Terminate));
        try
        {
            return await FirstCauseAsync(ranks);
        }
        finally
        {
            foreach (var rank in ranks)
            {
                if (!rank.HasExited) rank.Kill(entireProcessTree: true);
                rank.Dispose();
            }
        }
    }

    private async Task<int> FirstCauseAsync(List<Process> ranks)
    {
        using var deadline = new CancellationTokenSource();
        List<int> codes = [];
        var waiting = ranks.Select(r => r.WaitForExitAsync(deadline.Token).ContinueWith(_ => r, CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default)).ToList();
        while (waiting.Count > 0)
        {
            var ended = await Task.WhenAny(waiting);
            waiting.Remove(ended);
            if (ended.IsCanceled) continue;
            var rank = await ended;
            codes.Add(rank.ExitCode);
            if (rank.ExitCode > SignalBase) Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"opt-trainer: rank {ranks.IndexOf(rank)} was ended by signal {rank.ExitCode - SignalBase}"));
            if (codes[^1] != 0 && codes.Count(c => c != 0) == 1) _ = CancelLaterAsync(deadline);
        }

        return codes.FirstOrDefault(c => c is not 0 and not (int)WorkerExit.PeerLost, codes.FirstOrDefault(c => c != 0));
    }

    private async Task CancelLaterAsync(CancellationTokenSource deadline)
    {
        await Task.Delay(Grace, time);
        try
        {
            await deadline.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // Everything ended within the grace.
        }
    }

    private static Process Start(int rank, int workers, string planFile, string dataRoot, string runDirectory, IReadOnlyList<string> arguments)
    {
        var info = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, UseShellExecute = false };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") info.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, $"{typeof(LocalRanks).Assembly.GetName().Name}.dll"));
        info.ArgumentList.Add("worker");
        info.ArgumentList.Add("--local");
        foreach (var argument in arguments) info.ArgumentList.Add(argument);
        info.Environment[WorkerEnvironment.RankVariable] = Text(rank);
        info.Environment[WorkerEnvironment.LocalRankVariable] = Text(rank);
        info.Environment[WorkerEnvironment.PlanFileVariable] = planFile;
        info.Environment[WorkerEnvironment.DataRootVariable] = dataRoot;
        info.Environment[WorkerEnvironment.RunDirectoryVariable] = runDirectory;
        foreach (var (name, value) in ThreadPools.Variables(Math.Max(1, Environment.ProcessorCount / workers))) info.Environment.TryAdd(name, value);   // the user's own win
        return Process.Start(info)!;
    }

    private static void Terminate(Process process)
    {
        if (!process.HasExited) _ = kill(process.Id, SIGTERM);
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);

    [LibraryImport("libc")]
    private static partial int kill(int pid, int signal);
}
