using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Admission;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.ApiServer.CustomResources;
using Opt.LocalCluster.ApiServer.Http;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Lifecycle;
using Opt.LocalCluster.ApiServer.OpenApi;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer;

/// <summary>
/// A Kubernetes API server in this process: storage, the built-in resources and the controllers that belong to the server itself (namespaces,
/// CRDs). <see cref="Api"/> serves callers in the process; <see cref="ApiHost"/> puts HTTPS in front of it.
/// </summary>
public sealed class EmbeddedApiServer : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ApiContext _context;
    private readonly WebhookClient _webhooks;
    private readonly Journal? _journal;
    private Task _controllers = Task.CompletedTask;

    private EmbeddedApiServer(ApiServerOptions options)
    {
        var store = new ObjectStore(options.Store);
        var ids = new IdSource(options.Seed);
        var keys = options.DataDirectory is { } directory ? Path.Combine(directory, "keys") : null;
        _journal = Restore(store, options.DataDirectory);
        _webhooks = new WebhookClient(new ServiceAddresses(store), options.Clock);
        Authority = CertificateAuthority.LoadOrCreate(keys, options.Clock);
        _context = new ApiContext(store, new KindRegistry(BuiltinKinds.Create(), store), options.Clock, ids, new AdmissionChain(new BuiltinAdmission(store, ids), new WebhookAdmission(store, ids, _webhooks)))
        {
            CaBundle = Authority.Pem,
            Tokens = new ServiceAccountTokens(store, options.Clock, keys),
            Authorizer = options.Rbac ? new RbacAuthorizer(store, options.Audit) : new AuthenticatedMayAll(),
            Stopping = _stop.Token,
        };
        Api = new ClusterApi(_context);
    }

    public IClusterApi Api { get; }

    /// <summary>Signs the certificates of the HTTPS face and of its clients.</summary>
    public CertificateAuthority Authority { get; }

    internal ApiContext Context => _context;

    /// <summary>Starts a server that has what every cluster has.</summary>
    /// <exception cref="IOException">The data directory is in use, or damaged.</exception>
    public static async Task<EmbeddedApiServer> StartAsync(ApiServerOptions options, CancellationToken ct)
    {
        var server = new EmbeddedApiServer(options);
        await Bootstrap.RunAsync(server._context, ct);
        server._controllers = Task.WhenAll(
            new NamespaceController(server._context).RunAsync(server._stop.Token),
            new CrdController(server._context).RunAsync(server._stop.Token));
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
        _context.Tokens?.Dispose();
        _webhooks.Dispose();
        _journal?.Dispose();
    }

    internal HttpApi CreateHttpApi(ApiHostOptions options, Func<string> address) => new(
        _context,
        new Authenticator(Authority, [new StaticTokens(options.Tokens), _context.Tokens!]),
        _context.Authorizer,
        new Discovery(_context.Kinds, address),
        new OpenApiDocuments(_context.Kinds),
        options);

    private static Journal? Restore(ObjectStore store, string? directory)
    {
        if (directory is null) return null;
        var (journal, revision, objects) = Journal.Open(directory);
        var kinds = BuiltinKinds.Create()
            .Concat(objects.Where(o => o.Resource == "apiextensions.k8s.io/customresourcedefinitions").SelectMany(o => CustomKinds.From(o.Tree)))
            .DistinctBy(k => k.StorageKey).ToDictionary(k => k.StorageKey);
        store.Restore(journal, objects.Select(o => (o.Resource, o.Tree, o.ResourceVersion, Fields(kinds, o.Resource, o.Tree))), revision);
        return journal;
    }

    private static KeyValuePair<string, string>[] Fields(Dictionary<string, ResourceKind> kinds, string resource, JsonObject tree) =>
        kinds.TryGetValue(resource, out var kind) ? Creator.Fields(kind, tree) : [];
}
