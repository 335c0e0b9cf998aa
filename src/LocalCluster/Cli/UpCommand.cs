using System.CommandLine;

namespace Opt.LocalCluster.Cli;

/// <summary><c>opt-local up</c>: serves until stopped.</summary>
internal static class UpCommand
{
    public static Command Create()
    {
        var flags = new ClusterFlags();
        var command = new Command("up", "Serve a Kubernetes API with simulated machines until stopped.");
        flags.AddTo(command);
        command.SetAction((parsed, ct) => Failures.ReportAsync(() => ServeAsync(flags, parsed, TimeProvider.System, ct), ct));
        return command;
    }

    private static async Task<int> ServeAsync(ClusterFlags flags, ParseResult parsed, TimeProvider clock, CancellationToken ct)
    {
        var (kubeconfig, state) = (flags.KubeconfigOut(parsed), flags.StateDirectory(parsed));
        using var loggers = ClusterLog.Create(state, Console.Error, clock);
        await using var running = await RunningCluster.StartAsync(flags.Read(parsed, loggers), flags.Simulated(parsed), state, kubeconfig, clock, ct);
        Console.WriteLine($"Kubernetes API at {running.Cluster.Address}, nodes: {Describe(running.Machines.Names)}");
        Console.WriteLine($"log: {ClusterLog.PathIn(state)}");
        Console.WriteLine($"export KUBECONFIG={kubeconfig}");
        return await WaitAsync(clock, ct);
    }

    private static string Describe(IReadOnlyCollection<string> names) => names.Count switch
    {
        0 => "none",
        <= 8 => string.Join(", ", names.Order(StringComparer.Ordinal)),
        var count => $"{count}, {names.First()} to {names.Last()}",
    };

    /// <summary>Until stopped; being stopped is the success that was asked for.</summary>
    public static async Task<int> WaitAsync(TimeProvider clock, CancellationToken ct)
    {
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, clock, ct);
        }
        catch (OperationCanceledException)
        {
            // the only way out
        }

        return 0;
    }
}
