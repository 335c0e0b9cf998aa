using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Storage;

/// <summary>
/// Every object of the cluster, versioned like etcd: one counter for all resources, compare-and-swap writes, and a bounded history from which
/// watches resume. Writes are ordered by one lock; what they hold it for is microseconds.
/// </summary>
public sealed class ObjectStore(StoreOptions options)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Partition> _partitions = new(StringComparer.Ordinal);
    private long _revision;
    private long _restoredThrough;
    private Journal? _journal;

    /// <summary>Told of every commit, in order, under the store's lock. Handlers must be quick and not call back.</summary>
    public event Action<string, StoreEvent>? Committed;

    public long Revision
    {
        get { lock (_gate) return _revision; }
    }

    public StoredObject? Get(string resource, string @namespace, string name)
    {
        lock (_gate) return Of(resource).Table.Get(StoredObject.KeyOf(@namespace, name));
    }

    public StoreSnapshot List(string resource, string? @namespace)
    {
        lock (_gate) return new(Of(resource).Table.Range(@namespace), _revision);
    }

    /// <summary>The list as it was at <paramref name="revision"/>: the present one with later changes undone.</summary>
    /// <exception cref="CompactedException">That revision is no longer known.</exception>
    public StoreSnapshot ListAt(string resource, string? @namespace, long revision)
    {
        lock (_gate)
        {
            var part = Of(resource);
            var byKey = part.Table.Range(@namespace).ToDictionary(o => o.Key, StringComparer.Ordinal);
            foreach (var change in part.Log.After(revision).Reverse())
            {
                if (@namespace is not null && change.Object.Namespace != @namespace) continue;
                if (change.Previous is { } previous) byKey[previous.Key] = previous;
                else byKey.Remove(change.Object.Key);
            }

            return new([.. byKey.Values.OrderBy(o => o.Key, StringComparer.Ordinal)], revision);
        }
    }

    /// <summary>Adds an object; null when its name is taken.</summary>
    public StoredObject? TryCreate(string resource, JsonObject tree, KeyValuePair<string, string>[] fields)
    {
        lock (_gate)
        {
            var part = Of(resource);
            if (part.Table.Get(StoredObject.KeyOf(tree.Namespace(), tree.Name())) is not null) return null;
            return Commit(resource, part, Change.Added, StoredObject.Freeze(tree, _revision + 1, fields), null);
        }
    }

    /// <summary>Replaces <paramref name="expected"/>; null when it is no longer the current version.</summary>
    public StoredObject? TryReplace(string resource, StoredObject expected, JsonObject tree, KeyValuePair<string, string>[] fields)
    {
        lock (_gate)
        {
            var part = Of(resource);
            if (!ReferenceEquals(part.Table.Get(expected.Key), expected)) return null;
            return Commit(resource, part, Change.Modified, StoredObject.Freeze(tree, _revision + 1, fields), expected);
        }
    }

    /// <summary>Removes <paramref name="expected"/>, whose final state is <paramref name="tree"/>; null when it is no longer the current version.</summary>
    public StoredObject? TryRemove(string resource, StoredObject expected, JsonObject tree, KeyValuePair<string, string>[] fields)
    {
        lock (_gate)
        {
            var part = Of(resource);
            if (!ReferenceEquals(part.Table.Get(expected.Key), expected)) return null;
            return Commit(resource, part, Change.Deleted, StoredObject.Freeze(tree, _revision + 1, fields), expected);
        }
    }

    /// <summary>Events of a resource after a revision, and a task that completes when there are more.</summary>
    /// <exception cref="CompactedException">History after <paramref name="revision"/> is incomplete.</exception>
    public (StoreEvent[] Events, long Revision, Task More) Read(string resource, long revision)
    {
        lock (_gate)
        {
            var log = Of(resource).Log;
            return (log.After(revision), _revision, log.Grown);
        }
    }

    /// <summary>Forgets history up to a revision, so that older watches and continued lists get 410 Gone.</summary>
    public void Compact(long revision)
    {
        lock (_gate)
        {
            foreach (var part in _partitions.Values) part.Log.CompactTo(Math.Min(revision, _revision));
        }
    }

    /// <summary>
    /// Puts back what a journal kept, and keeps every commit from here on in it. Only before the first request; history before it counts as
    /// compacted.
    /// </summary>
    internal void Restore(Journal journal, IEnumerable<(string Resource, JsonObject Tree, long ResourceVersion, KeyValuePair<string, string>[] Fields)> objects, long revision)
    {
        lock (_gate)
        {
            _restoredThrough = revision;
            foreach (var (resource, tree, version, fields) in objects) Of(resource).Table.Set(StoredObject.Freeze(tree, version, fields));
            _revision = revision;
            _journal = journal;
        }
    }

    private StoredObject Commit(string resource, Partition part, Change change, StoredObject item, StoredObject? previous)
    {
        _revision = item.ResourceVersion;
        if (change == Change.Deleted) part.Table.Remove(item.Key);
        else part.Table.Set(item);
        var committed = new StoreEvent(change, item, previous);
        part.Log.Append(committed);
        part.Log.TrimTo(options.HistoryBytesPerResource);
        Committed?.Invoke(resource, committed);
        if (_journal is { } journal) Keep(journal, resource, committed);
        return item;
    }

    private void Keep(Journal journal, string resource, StoreEvent committed)
    {
        journal.Append(resource, committed);
        if (journal.IsDue) journal.Rotate(_partitions.SelectMany(p => p.Value.Table.Range(null).Select(o => (p.Key, o))), _revision);
    }

    private Partition Of(string resource)
    {
        if (_partitions.TryGetValue(resource, out var part)) return part;
        return _partitions[resource] = new Partition(_restoredThrough);
    }

    private sealed class Partition(long compactedThrough)
    {
        public KeyedTable Table { get; } = new();
        public EventLog Log { get; } = new(compactedThrough);
    }
}
