using System.CommandLine;
using Microsoft.Extensions.Logging.Abstractions;

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
        var kubeconfig = flags.KubeconfigOut(parsed);
        await using var running = await RunningCluster.StartAsync(flags.Read(parsed, NullLoggerFactory.Instance), flags.StateDirectory(parsed), kubeconfig, clock, ct);
        Console.WriteLine($"Kubernetes API at {running.Cluster.Address}, nodes: {string.Join(", ", running.Cluster.Nodes!.Names.Order(StringComparer.Ordinal))}");
        Console.WriteLine($"export KUBECONFIG={kubeconfig}");
        return await WaitAsync(clock, ct);
    }

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
