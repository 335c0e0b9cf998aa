using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Http;

namespace Opt.Kubernetes.Tests;

/// <summary>The embedded API server behind its HTTPS face, without controllers: what is written stays as it was written.</summary>
internal sealed class Cluster(EmbeddedApiServer server, ApiHost host) : IAsyncDisposable
{
    public EmbeddedApiServer Server => server;

    public ApiHost Host => host;

    public static async Task<Cluster> StartAsync(ApiHostOptions? options = null, ApiServerOptions? serverOptions = null)
    {
        var server = await EmbeddedApiServer.StartAsync(serverOptions ?? new(), default);
        return new(server, await ApiHost.StartAsync(server, options ?? new(), default));
    }

    public KubernetesClientConfiguration Configuration() => KubeConfig.Parse(host.AdminKubeconfig(), "/test/config").Resolve(null);

    public KubernetesClient Connect(KubernetesClientOptions? options = null) =>
        new(Configuration(), options ?? new() { FieldManager = "tester", QueriesPerSecond = 1000, Burst = 1000 });

    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        await server.DisposeAsync();
    }
}
