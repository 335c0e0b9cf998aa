using System.Collections.Immutable;
using Opt.LocalCluster.ApiServer.CustomResources;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>
/// The resources that are served: the built-in ones, and those that established CRDs in the store define. A CRD counts from the moment it is
/// committed; readers see a consistent set.
/// </summary>
public sealed class KindRegistry
{
    private const string Crds = "apiextensions.k8s.io/customresourcedefinitions";
    private readonly ImmutableArray<ResourceKind> _builtins;
    private readonly ObjectStore _store;
    private readonly Lock _gate = new();
    private readonly Dictionary<StoredObject, ResourceKind[]> _read = [];
    private volatile Snapshot? _snapshot;
    private volatile int _commits;

    public KindRegistry(IEnumerable<ResourceKind> builtins, ObjectStore store)
    {
        (_builtins, _store) = ([.. builtins], store);
        store.Committed += (resource, _) =>
        {
            if (resource == Crds) _commits++;   // only ever under the store's lock
        };
    }

    /// <summary>Every served resource, in discovery order.</summary>
    public ImmutableArray<ResourceKind> All => Current().Kinds;

    public ResourceKind? Find(ResourceId id) => Current().ById.GetValueOrDefault(id);

    public ResourceKind? Find(string group, string version, string plural) => Find(new ResourceId(group, version, plural));

    /// <summary>The resource that serves a kind, as in an owner reference.</summary>
    public ResourceKind? FindKind(string apiVersion, string kind) => All.FirstOrDefault(k => k.Kind == kind && k.ApiVersion == apiVersion);

    /// <summary>Raised after CRDs have come, changed or gone.</summary>
    public event Action? Changed;

    internal void NotifyChanged() => Changed?.Invoke();

    private Snapshot Current()
    {
        if (_snapshot is { } snapshot && snapshot.Commits == _commits) return snapshot;
        lock (_gate)
        {
            var commits = _commits;   // read first: what commits meanwhile makes the next reader build again
            return _snapshot = new Snapshot(commits, [.. _builtins, .. _store.List(Crds, null).Objects.SelectMany(Read)]);
        }
    }

    private ResourceKind[] Read(StoredObject stored)
    {
        if (_read.TryGetValue(stored, out var known)) return known;
        var crd = stored.ToTree();
        foreach (var old in _read.Keys.Where(o => o.Key == stored.Key).ToArray()) _read.Remove(old);
        return _read[stored] = CrdLifecycle.IsEstablished(crd) ? [.. CustomKinds.From(crd)] : [];
    }

    private sealed class Snapshot(int commits, ImmutableArray<ResourceKind> kinds)
    {
        public int Commits { get; } = commits;
        public ImmutableArray<ResourceKind> Kinds { get; } = kinds;
        public Dictionary<ResourceId, ResourceKind> ById { get; } = kinds.ToDictionary(k => k.Id);
    }
}
