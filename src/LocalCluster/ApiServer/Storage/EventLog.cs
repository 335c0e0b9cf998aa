namespace Opt.LocalCluster.ApiServer.Storage;

/// <summary>
/// The recent history of one partition, in revision order. Watches read from it at their own pace, so a slow watcher costs no memory of its
/// own: when the log is trimmed past it, it is told so. Not thread-safe; the store's lock guards it.
/// </summary>
internal sealed class EventLog(long compactedThrough)
{
    private readonly List<StoreEvent> _events = [];
    private int _head;   // events before it are dropped; the list is shifted only when half of it is dead
    private TaskCompletionSource _grown = New();

    /// <summary>Revisions up to this one may be missing from the log.</summary>
    public long CompactedThrough { get; private set; } = compactedThrough;

    public long Bytes { get; private set; }

    /// <summary>Completes at the next append.</summary>
    public Task Grown => _grown.Task;

    public void Append(StoreEvent item)
    {
        _events.Add(item);
        Bytes += item.Object.Json.Length;
        var grown = _grown;
        _grown = New();
        grown.SetResult();
    }

    /// <summary>Forgets everything up to a revision.</summary>
    public void CompactTo(long revision)
    {
        while (_head < _events.Count && _events[_head].ResourceVersion <= revision) DropOldest();
        CompactedThrough = Math.Max(CompactedThrough, revision);
    }

    /// <summary>Drops the oldest events until at most <paramref name="bytes"/> are held; the newest always stays.</summary>
    public void TrimTo(long bytes)
    {
        while (Bytes > bytes && _head < _events.Count - 1) DropOldest();
    }

    /// <exception cref="CompactedException">History after <paramref name="revision"/> is incomplete.</exception>
    public StoreEvent[] After(long revision)
    {
        if (revision < CompactedThrough) throw new CompactedException(revision, CompactedThrough);
        var (from, to) = (_head, _events.Count);
        while (from < to)
        {
            var middle = (from + to) / 2;
            if (_events[middle].ResourceVersion > revision) to = middle;
            else from = middle + 1;
        }

        return [.. _events.GetRange(from, _events.Count - from)];
    }

    private void DropOldest()
    {
        CompactedThrough = _events[_head].ResourceVersion;
        Bytes -= _events[_head].Object.Json.Length;
        _events[_head++] = null!;
        if (_head <= _events.Count / 2) return;
        _events.RemoveRange(0, _head);
        _head = 0;
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
