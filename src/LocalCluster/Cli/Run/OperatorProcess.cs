using System.Net;
using Opt.LocalCluster.Kubelet.Processes;

namespace Opt.LocalCluster.Cli.Run;

/// <summary>The operator as a process of its own, as it is in a cluster. It carries the cluster's marker, so that it cannot outlive it.</summary>
internal sealed class OperatorProcess : IAsyncDisposable
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);
    private readonly ContainerProcess _process;
    private readonly ContainerLog _log;
    private readonly TimeProvider _clock;

    private OperatorProcess(ContainerProcess process, ContainerLog log, TimeProvider clock) => (_process, _log, _clock) = (process, log, clock);

    /// <summary>Completes with the exit code.</summary>
    public Task<int> Exited => _process.Exited;

    /// <exception cref="UsageException">There is no such program.</exception>
    public static OperatorProcess Start(string program, string kubeconfig, DashboardLink? dashboard, string logFile, string instance, TimeProvider clock)
    {
        var path = Path.GetFullPath(program);
        if (!File.Exists(path)) throw new UsageException($"--operator: {program} is not there; run `make build` first");
        var environment = Environment.GetEnvironmentVariables().Keys.Cast<string>().ToDictionary(name => name, name => Environment.GetEnvironmentVariable(name)!);
        var log = new ContainerLog(logFile, clock);
        string[] page = dashboard is null ? [] : ["--bind-address", $"{IPAddress.Loopback}", "--dashboard-port", $"{dashboard.Port}"];
        string[] arguments = ["run", "--kubeconfig", kubeconfig, "--status-interval", "1s", .. page];
        return new(ContainerProcess.Start(new(path, arguments, environment, Environment.CurrentDirectory, $"{instance}/opt-operator"), log, clock), log, clock);
    }

    public async ValueTask DisposeAsync()
    {
        _process.Signal(Signals.Terminate);
        using var patience = new CancellationTokenSource(Grace, _clock);
        await Task.WhenAny(Exited, Task.Delay(Timeout.InfiniteTimeSpan, _clock, patience.Token));
        _process.Kill();
        await Exited;
        _process.Dispose();
        _log.Dispose();
    }
}
