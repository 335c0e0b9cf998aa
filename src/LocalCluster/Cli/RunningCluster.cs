using Opt.LocalCluster.Cli.Control;

namespace Opt.LocalCluster.Cli;

/// <summary>A cluster with what its command line adds: the kubeconfig on disk and the control socket of <c>opt-local node</c>.</summary>
internal sealed class RunningCluster : IAsyncDisposable
{
    private readonly ControlSocket _socket;

    private RunningCluster(Cluster cluster, ControlSocket socket) => (Cluster, _socket) = (cluster, socket);

    public Cluster Cluster { get; }

    /// <exception cref="UsageException">The port is taken, or another opt-local uses the state directory.</exception>
    public static async Task<RunningCluster> StartAsync(ClusterOptions options, string stateDirectory, string kubeconfig, TimeProvider clock, CancellationToken ct)
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
        return new(cluster, ControlSocket.Start(stateDirectory, cluster.Nodes!));
    }

    public async ValueTask DisposeAsync()
    {
        await _socket.DisposeAsync();
        await Cluster.DisposeAsync();
    }
}
