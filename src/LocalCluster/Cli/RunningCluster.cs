using Opt.LocalCluster.Cli.Control;
using Opt.LocalCluster.Simulation;

namespace Opt.LocalCluster.Cli;

/// <summary>A cluster with what its command line adds: the kubeconfig on disk and the control socket of <c>opt-local node</c>.</summary>
internal sealed class RunningCluster : IAsyncDisposable
{
    private readonly ControlSocket _socket;
    private readonly SimulatedNodes? _simulated;

    private RunningCluster(Cluster cluster, SimulatedNodes? simulated, Machines machines, string stateDirectory)
    {
        (Cluster, _simulated, Machines) = (cluster, simulated, machines);
        _socket = ControlSocket.Start(stateDirectory, machines);
    }

    public Cluster Cluster { get; }

    public Machines Machines { get; }

    /// <exception cref="UsageException">The port is taken, or another opt-local uses the state directory.</exception>
    public static async Task<RunningCluster> StartAsync(ClusterOptions options, SimulatedNodeOptions? simulated, string stateDirectory, string kubeconfig, TimeProvider clock, CancellationToken ct)
    {
        Cluster cluster;
        try
        {
            cluster = await Cluster.StartAsync(options, clock, ct);
        }
        catch (IOException e)
        {
            throw new UsageException(e.Message);
        }

        Directory.CreateDirectory(Path.GetDirectoryName(kubeconfig)!);
        // Written beside and moved over: whoever waits for the file never reads half of it.
        var partial = kubeconfig + ".partial";
        await File.WriteAllTextAsync(partial, cluster.AdminKubeconfig(), ct);
        File.SetUnixFileMode(partial, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(partial, kubeconfig, overwrite: true);
        var more = simulated is null ? null : await SimulatedNodes.StartAsync(cluster, simulated, ct);
        return new(cluster, more, new Machines(cluster.Nodes!, more), stateDirectory);
    }

    public async ValueTask DisposeAsync()
    {
        await _socket.DisposeAsync();
        if (_simulated is not null) await _simulated.DisposeAsync();
        await Cluster.DisposeAsync();
    }
}
