using System.Text.Json.Nodes;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Namespaces;

/// <summary>Every namespace has the service account <c>default</c> and the config map <c>kube-root-ca.crt</c>; they come back when deleted.</summary>
internal sealed class NamespaceDefaultsController : IController
{
    private const string AccountName = "default";
    private const string RootCaName = "kube-root-ca.crt";
    private readonly ControllerContext _context;
    private readonly string _rootCa;
    private readonly ControllerLoop<ObjectKey> _loop;
    private readonly Executor _executor;

    public NamespaceDefaultsController(ControllerContext context, string rootCaPem)
    {
        _context = context;
        _rootCa = rootCaPem;
        _loop = context.Loop<ObjectKey>("namespace-defaults", ReconcileAsync);
        _executor = context.ExecutorFor("namespace-defaults");
        context.Caches.Of(Kinds.Namespaces).Subscribe(change => _loop.Enqueue(change.Key));
        context.Caches.Of(Kinds.ServiceAccounts).Subscribe(change => EnqueueNamespace(change, AccountName));
        context.Caches.Of(Kinds.ConfigMaps).Subscribe(change => EnqueueNamespace(change, RootCaName));
    }

    public Task RunAsync(CancellationToken ct) => _loop.RunAsync(ct);

    private void EnqueueNamespace(ObjectChange change, string name)
    {
        if (change.Key.Name == name) _loop.Enqueue(new("", change.Key.Namespace));
    }

    private async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken ct)
    {
        if (_context.Caches.Of(Kinds.Namespaces).Get(key) is not { IsTerminating: false } @namespace) return null;
        List<Act> acts = [];
        if (_context.Caches.Of(Kinds.ServiceAccounts).Get(new(key.Name, AccountName)) is null) acts.Add(new Act.Create(Kinds.ServiceAccounts, Body("ServiceAccount", key.Name, AccountName)));
        var published = _context.Caches.Of(Kinds.ConfigMaps).Get(new(key.Name, RootCaName));
        if (published is null) acts.Add(new Act.Create(Kinds.ConfigMaps, RootCa(key.Name)));
        else if (published.Text("data", "ca.crt") != _rootCa) acts.Add(new Act.Replace(Kinds.ConfigMaps, Corrected(published)));
        await _executor.RunAsync(acts, ct);
        return null;
    }

    private JsonObject Corrected(JsonObject published)
    {
        var corrected = published.Copy();
        corrected["data"] = new JsonObject { ["ca.crt"] = _rootCa };
        return corrected;
    }

    private JsonObject RootCa(string @namespace)
    {
        var body = Body("ConfigMap", @namespace, RootCaName);
        body.Ensure("metadata")["annotations"] = new JsonObject
        {
            ["kubernetes.io/description"] =
                "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. "
                + "No other usage is guaranteed across distributions of Kubernetes clusters.",
        };
        body["data"] = new JsonObject { ["ca.crt"] = _rootCa };
        return body;
    }

    private static JsonObject Body(string kind, string @namespace, string name) => new()
    {
        ["apiVersion"] = "v1", ["kind"] = kind, ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = @namespace },
    };
}
