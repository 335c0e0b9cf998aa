using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Admission;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.ApiServer.Http;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Lifecycle;
using Opt.LocalCluster.ApiServer.OpenApi;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer;

/// <summary>
/// A Kubernetes API server in this process: storage, the built-in resources and the controllers that belong to the server itself (namespaces,
/// CRDs). <see cref="Api"/> serves callers in the process.
/// </summary>
public sealed class EmbeddedApiServer : IAsyncDisposable
{
    private static readonly string[] SystemNamespaces = ["default", "kube-system", "kube-public", "kube-node-lease"];
    private readonly CancellationTokenSource _stop = new();
    private readonly ApiContext _context;
    private readonly WebhookClient _webhooks;
    private Task _controllers = Task.CompletedTask;

    private EmbeddedApiServer(ApiServerOptions options)
    {
        var store = new ObjectStore(options.Store);
        var ids = new IdSource(options.Seed);
        _webhooks = new WebhookClient(new ServiceAddresses(store), options.Clock);
        Authority = CertificateAuthority.Create(options.Clock);
        _context = new ApiContext(store, new KindRegistry(BuiltinKinds.Create(), store), options.Clock, ids, new AdmissionChain(new BuiltinAdmission(store, ids), new WebhookAdmission(store, ids, _webhooks)))
        {
            CaBundle = Authority.Pem,
            Stopping = _stop.Token,
        };
        Api = new ClusterApi(_context);
    }

    public IClusterApi Api { get; }

    /// <summary>Signs the certificates of the HTTPS face and of its clients.</summary>
    public CertificateAuthority Authority { get; }

    internal ApiContext Context => _context;

    internal HttpApi CreateHttpApi(ApiHostOptions options, Func<string> address) => new(
        _context,
        new Authenticator(Authority, [new StaticTokens(options.Tokens)]),
        new AuthenticatedMayAll(),
        new Discovery(_context.Kinds, address),
        new OpenApiDocuments(_context.Kinds),
        options);

    /// <summary>Starts a server that has its system namespaces.</summary>
    public static async Task<EmbeddedApiServer> StartAsync(ApiServerOptions options, CancellationToken ct)
    {
        var server = new EmbeddedApiServer(options);
        foreach (var name in SystemNamespaces) await server.EnsureNamespaceAsync(name, ct);
        server._controllers = new NamespaceController(server._context).RunAsync(server._stop.Token);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        try
        {
            await _controllers;
        }
        catch (OperationCanceledException)
        {
            // That is how controllers end.
        }

        _stop.Dispose();
        Authority.Dispose();
        _webhooks.Dispose();
    }

    private async Task EnsureNamespaceAsync(string name, CancellationToken ct)
    {
        var kind = _context.Kinds.Find("", "v1", "namespaces")!;
        if (_context.Find(kind, null, name) is not null) return;
        var caller = new Caller("system:apiserver", "kube-apiserver", ["system:masters"]);
        await Creator.CreateAsync(_context, kind, null, new JsonObject { ["metadata"] = new JsonObject { ["name"] = name } }, new WriteRequest(caller), ct);
    }
}
