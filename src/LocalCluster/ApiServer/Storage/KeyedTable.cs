namespace Opt.LocalCluster.ApiServer.Storage;

/// <summary>Objects in key order. Not thread-safe; the store's lock guards it. Copying a range out is one block copy, so lists hold the lock only briefly.</summary>
internal sealed class KeyedTable
{
    private readonly Dictionary<string, StoredObject> _byKey = new(StringComparer.Ordinal);
    private readonly List<string> _keys = [];
    private readonly List<StoredObject> _objects = [];

    public int Count => _keys.Count;

    public StoredObject? Get(string key) => _byKey.GetValueOrDefault(key);

    public void Set(StoredObject item)
    {
        var index = _keys.BinarySearch(item.Key, StringComparer.Ordinal);
        if (index >= 0)
        {
            _objects[index] = item;
        }
        else
        {
            _keys.Insert(~index, item.Key);
            _objects.Insert(~index, item);
        }

        _byKey[item.Key] = item;
    }

    public void Remove(string key)
    {
        var index = _keys.BinarySearch(key, StringComparer.Ordinal);
        if (index < 0) return;
        _keys.RemoveAt(index);
        _objects.RemoveAt(index);
        _byKey.Remove(key);
    }

    /// <summary>The objects of a namespace, or all when it is null.</summary>
    public StoredObject[] Range(string? @namespace)
    {
        if (@namespace is null) return [.. _objects];
        var from = LowerBound(@namespace + "/");
        var to = LowerBound(@namespace + "0");   // '0' follows '/'
        return [.. _objects.GetRange(from, to - from)];
    }

    private int LowerBound(string key)
    {
        var index = _keys.BinarySearch(key, StringComparer.Ordinal);
        return index < 0 ? ~index : index;
    }
}
