namespace Opt.LocalCluster.ApiServer.Storage;

/// <summary>What a revision did to an object.</summary>
public enum Change { Added, Modified, Deleted }

/// <summary>One revision of one partition. For a deletion <see cref="Object"/> is the last state under the deletion's resourceVersion.</summary>
public sealed record StoreEvent(Change Change, StoredObject Object, StoredObject? Previous)
{
    public long ResourceVersion => Object.ResourceVersion;
}

/// <summary>The objects of a list and the resourceVersion they are all true at.</summary>
public sealed record StoreSnapshot(IReadOnlyList<StoredObject> Objects, long ResourceVersion);

/// <summary>The history needed to go on from a version has been compacted away: HTTP 410.</summary>
public sealed class CompactedException(long asked, long oldest) : Exception($"too old resource version: {asked} ({oldest})");
