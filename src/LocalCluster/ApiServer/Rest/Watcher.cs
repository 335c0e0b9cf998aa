using System.Runtime.CompilerServices;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Selectors;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>A watch: what changes among the objects that a selection sees, from some version on.</summary>
public static class Watcher
{
    /// <summary>
    /// Yields changes until cancelled. An object that an update moves into the selection is Added to it, one that it moves out is Deleted.
    /// </summary>
    /// <exception cref="CompactedException">The history to go on from is gone.</exception>
    public static async IAsyncEnumerable<WatchItem> WatchAsync(ApiContext context, ResourceKind kind, WatchRequest request, [EnumeratorCancellation] CancellationToken ct)
    {
        var from = request.After;
        if (request.SendsInitialState)
        {
            var snapshot = context.Store.List(kind.StorageKey, request.Namespace);
            from = snapshot.ResourceVersion;
            var present = snapshot.Objects.Where(request.Selection.Matches).Select(item => new WatchItem(Change.Added, item, item.ResourceVersion));
            if (request.MarksInitialEnd) present = present.Append(new WatchItem(null, null, from) { InitialEnd = true });
            foreach (var item in Together(present)) yield return item;
        }

        while (true)
        {
            var (events, revision, more) = context.Store.Read(kind.StorageKey, from);
            foreach (var item in Together(events.Select(change => Seen(change, request)).OfType<WatchItem>())) yield return item;
            from = Math.Max(from, revision);
            if (await Waited(more, request, context.Clock, ct)) continue;
            yield return new WatchItem(null, null, from);
        }
    }

    // All but the last say that another one follows.
    private static IEnumerable<WatchItem> Together(IEnumerable<WatchItem> items)
    {
        WatchItem? held = null;
        foreach (var item in items)
        {
            if (held is not null) yield return held with { MoreFollow = true };
            held = item;
        }

        if (held is not null) yield return held;
    }

    // True when there is more to read, false when a bookmark is due.
    private static async Task<bool> Waited(Task more, WatchRequest request, TimeProvider clock, CancellationToken ct)
    {
        if (request.BookmarkEvery is not { } every)
        {
            await more.WaitAsync(ct);
            return true;
        }

        try
        {
            await more.WaitAsync(every, clock, ct);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private static WatchItem? Seen(StoreEvent change, WatchRequest request)
    {
        if (request.Namespace is { } wanted && change.Object.Namespace != wanted) return null;
        var was = change.Previous is { } previous && request.Selection.Matches(previous);
        var isNow = change.Change != Change.Deleted && request.Selection.Matches(change.Object);
        return (was, isNow) switch
        {
            (false, true) => new WatchItem(Change.Added, change.Object, change.ResourceVersion),
            (true, true) => new WatchItem(Change.Modified, change.Object, change.ResourceVersion),
            // Who leaves the selection is shown as it was last seen in it, at the version that took it out.
            (true, false) => new WatchItem(Change.Deleted, change.Change == Change.Deleted ? change.Object : change.Previous, change.ResourceVersion),
            _ => null,
        };
    }
}

/// <summary>What to watch and from where.</summary>
/// <param name="After">Changes after this version; ignored with <paramref name="SendsInitialState"/>.</param>
/// <param name="SendsInitialState">Begin with the present objects as Added.</param>
/// <param name="MarksInitialEnd">Send a bookmark after them.</param>
/// <param name="BookmarkEvery">Send a bookmark after so long without a change; null for never.</param>
public sealed record WatchRequest(string? Namespace, Selection Selection, long After, bool SendsInitialState, bool MarksInitialEnd = false, TimeSpan? BookmarkEvery = null);

/// <summary>One thing that a watch reports; without an object it is a bookmark.</summary>
public sealed record WatchItem(Change? Change, StoredObject? Object, long ResourceVersion)
{
    public bool InitialEnd { get; init; }

    /// <summary>Another one is ready behind it: no need to send this one by itself.</summary>
    public bool MoreFollow { get; init; }
}
