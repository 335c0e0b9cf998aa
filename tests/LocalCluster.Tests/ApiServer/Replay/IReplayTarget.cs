using System.Diagnostics;
using Opt.LocalCluster.ApiServer.Http;
using Opt.LocalCluster.Controllers.NodeLifecycle;
using Opt.Testing;

namespace Opt.LocalCluster.Tests.ApiServer.Replay;

/// <summary>What transcripts are played against.</summary>
internal interface IReplayTarget : IAsyncDisposable
{
    TimeProvider Clock { get; }

    Uri Address { get; }

    string AdminKubeconfig { get; }

    /// <summary>Waits until controllers have done what there is to do now.</summary>
    Task IdleAsync();

    Task PassAsync(TimeSpan time);
}

/// <summary>A cluster in this process, in virtual time: it tells when it is idle.</summary>
internal sealed class VirtualCluster : IReplayTarget
{
    private readonly Cluster _cluster;
    private readonly VirtualTime _clock;

    private VirtualCluster(Cluster cluster, VirtualTime clock) => (_cluster, _clock) = (cluster, clock);

    public TimeProvider Clock => _clock;

    public Uri Address => _cluster.Address!;

    public string AdminKubeconfig => _cluster.AdminKubeconfig();

    public static async Task<VirtualCluster> StartAsync()
    {
        var clock = new VirtualTime();
        var options = new ClusterOptions { Seed = 1, Http = new ApiHostOptions(), NodeLifecycle = new NodeLifecycleOptions { MonitorGracePeriod = TimeSpan.FromSeconds(8) } };
        return new VirtualCluster(await Cluster.StartAsync(options, clock, CancellationToken.None), clock);
    }

    public Task IdleAsync() => _cluster.IdleAsync();

    public Task PassAsync(TimeSpan time) => _clock.AdvanceAsync(time, IdleAsync);

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();
}

/// <summary><c>opt-local up</c> without nodes of its own, as somebody would start it to record it anew.</summary>
internal sealed class UpProcess : IReplayTarget
{
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(150);   // nobody outside can see that controllers are done
    private readonly Process _process;
    private readonly string _folder;

    private UpProcess(Process process, string folder, string kubeconfig)
    {
        (_process, _folder, AdminKubeconfig) = (process, folder, kubeconfig);
        var server = kubeconfig.Split('\n').First(line => line.TrimStart().StartsWith("server:", StringComparison.Ordinal));
        Address = new Uri(server.Split("server:")[1].Trim().Trim('"'));
    }

    public TimeProvider Clock => TimeProvider.System;

    public Uri Address { get; }

    public string AdminKubeconfig { get; }

    public static async Task<UpProcess> StartAsync(string gracePeriod, CancellationToken ct)
    {
        var folder = Directory.CreateTempSubdirectory("opt-replay-").FullName;
        var kubeconfig = Path.Combine(folder, "kubeconfig");
        var start = new ProcessStartInfo(Repo.PathOf("artifacts", "bin", "LocalCluster", "release", "opt-local"), ["up", "--nodes", "0", "--node-monitor-grace-period", gracePeriod, "--state-dir", folder, "--kubeconfig-out", kubeconfig])
        {
            RedirectStandardOutput = true,
        };
        var process = Process.Start(start) ?? throw new InvalidOperationException("opt-local did not start");
        while (await process.StandardOutput.ReadLineAsync(ct) is { } line && !line.StartsWith("export KUBECONFIG", StringComparison.Ordinal))
        {
        }

        return new UpProcess(process, folder, await File.ReadAllTextAsync(kubeconfig, ct));
    }

    public Task IdleAsync() => PassAsync(Settling);

    public Task PassAsync(TimeSpan time) => Task.Delay(time, Clock);

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
