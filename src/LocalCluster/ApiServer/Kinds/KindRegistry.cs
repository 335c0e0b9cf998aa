using System.Collections.Immutable;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>The resources that are served: the built-in ones, and those that CRDs define as they come and go. Readers see a consistent set.</summary>
public sealed class KindRegistry
{
    private readonly ImmutableArray<ResourceKind> _builtins;
    private volatile Snapshot _snapshot;

    public KindRegistry(IEnumerable<ResourceKind> builtins)
    {
        _builtins = [.. builtins];
        _snapshot = new Snapshot(_builtins);
    }

    /// <summary>Every served resource, in discovery order.</summary>
    public ImmutableArray<ResourceKind> All => _snapshot.Kinds;

    public ResourceKind? Find(ResourceId id) => _snapshot.ById.GetValueOrDefault(id);

    public ResourceKind? Find(string group, string version, string plural) => Find(new ResourceId(group, version, plural));

    /// <summary>The resource that serves a kind, as in an owner reference.</summary>
    public ResourceKind? FindKind(string apiVersion, string kind) => All.FirstOrDefault(k => k.Kind == kind && k.ApiVersion == apiVersion);

    /// <summary>Raised after the set has changed.</summary>
    public event Action? Changed;

    /// <summary>Replaces what CRDs define.</summary>
    public void SetCustom(IEnumerable<ResourceKind> custom)
    {
        _snapshot = new Snapshot([.. _builtins, .. custom]);
        Changed?.Invoke();
    }

    private sealed class Snapshot(ImmutableArray<ResourceKind> kinds)
    {
        public ImmutableArray<ResourceKind> Kinds { get; } = kinds;
        public Dictionary<ResourceId, ResourceKind> ById { get; } = kinds.ToDictionary(k => k.Id);
    }
}
