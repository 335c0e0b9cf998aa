using System.Collections.Immutable;
using System.Diagnostics;

namespace Opt.Kubernetes;

/// <summary>Where an informer is. <c>Streams</c>: the server may be asked to stream its current state.</summary>
internal abstract record InformerState<T>(bool Streams) where T : class;

/// <summary>Reading the current state page by page. Nothing of it is visible before the last page.</summary>
/// <param name="Expired">How often the server forgot the list's version half-way; each time pages grow, until it is one page.</param>
internal sealed record Listing<T>(bool Streams, string? Continue, ImmutableStack<IReadOnlyList<T>> Pages, int Expired = 0) : InformerState<T>(Streams) where T : class
{
    public Listing(bool streams, int expired = 0) : this(streams, null, [], expired)
    {
    }
}

/// <summary>Reading the current state as a stream of events that ends with a marked bookmark.</summary>
/// <param name="Broken">How often the stream ended before it was complete.</param>
internal sealed record Streaming<T>(ImmutableDictionary<ObjectKey, T> Seen, int Broken = 0) : InformerState<T>(true) where T : class
{
    public Streaming(int broken = 0) : this(ImmutableDictionary<ObjectKey, T>.Empty, broken)
    {
    }
}

/// <summary>Following changes after a version.</summary>
internal sealed record Watching<T>(bool Streams, string ResourceVersion) : InformerState<T>(Streams) where T : class;

/// <summary>Has a version, but the connection ended badly or said nothing: is it still the same history that the server tells?</summary>
internal sealed record Doubting<T>(bool Streams, string ResourceVersion) : InformerState<T>(Streams) where T : class;

/// <summary>What the loop must send next.</summary>
internal abstract record InformerRequest;

/// <param name="Growth">The page size doubles that often; beyond the third time everything is asked for at once.</param>
internal sealed record RequestPage(string? Continue, int Growth) : InformerRequest;

internal sealed record RequestStream : InformerRequest;

internal sealed record RequestWatch(string ResourceVersion) : InformerRequest;

internal sealed record RequestNewestVersion : InformerRequest;

/// <summary>What happened.</summary>
internal abstract record InformerSignal<T> where T : class;

internal sealed record PageArrived<T>(IReadOnlyList<T> Items, string? Continue, string ResourceVersion) : InformerSignal<T> where T : class;

internal sealed record ObjectChanged<T>(ObjectKey Key, T Item, string ResourceVersion) : InformerSignal<T> where T : class;

internal sealed record ObjectDeleted<T>(ObjectKey Key, T Item, string ResourceVersion) : InformerSignal<T> where T : class;

internal sealed record BookmarkArrived<T>(string ResourceVersion, bool EndsInitialEvents) : InformerSignal<T> where T : class;

internal sealed record NewestVersionArrived<T>(string ResourceVersion) : InformerSignal<T> where T : class;

/// <summary>410: the version or the continue token is too old.</summary>
internal sealed record VersionGone<T> : InformerSignal<T> where T : class;

/// <summary>The server will not stream its current state.</summary>
internal sealed record StreamingRefused<T> : InformerSignal<T> where T : class;

/// <summary>The stream ended as it should, after having told something.</summary>
internal sealed record StreamEnded<T> : InformerSignal<T> where T : class;

/// <summary>The request failed, or the stream broke, stalled or told nothing at all.</summary>
internal sealed record RequestFailed<T> : InformerSignal<T> where T : class;

/// <summary>What the store must do.</summary>
internal abstract record InformerDelta<T>(string ResourceVersion) where T : class;

internal sealed record Replace<T>(IEnumerable<T> All, string ResourceVersion) : InformerDelta<T>(ResourceVersion) where T : class;

internal sealed record Upsert<T>(ObjectKey Key, T Item, string ResourceVersion) : InformerDelta<T>(ResourceVersion) where T : class;

internal sealed record Remove<T>(ObjectKey Key, T Last, string ResourceVersion) : InformerDelta<T>(ResourceVersion) where T : class;

internal sealed record Progress<T>(string ResourceVersion) : InformerDelta<T>(ResourceVersion) where T : class;

/// <summary>
/// The rules of list and watch, without any I/O. Guarantees: the store never shows a half list; every delta moves it forward in the server's
/// history; a full list is read only at the start, after 410, or when the server's history went back (it was restored or restarted empty).
/// </summary>
internal static class InformerMachine
{
    private const int MostBrokenStreams = 2;

    public static InformerState<T> Start<T>(bool streams) where T : class => streams ? new Streaming<T>() : new Listing<T>(false);

    public static InformerRequest Next<T>(InformerState<T> state) where T : class => state switch
    {
        Listing<T> l => new RequestPage(l.Continue, l.Expired),
        Streaming<T> => new RequestStream(),
        Watching<T> w => new RequestWatch(w.ResourceVersion),
        Doubting<T> => new RequestNewestVersion(),
        _ => throw new UnreachableException(state.GetType().Name),
    };

    public static (InformerState<T> Next, InformerDelta<T>? Emit) Step<T>(InformerState<T> state, InformerSignal<T> signal) where T : class => state switch
    {
        Listing<T> l => InListing(l, signal),
        Streaming<T> s => InStreaming(s, signal),
        Watching<T> w => InWatching(w, signal),
        Doubting<T> d => InDoubt(d, signal),
        _ => throw new UnreachableException(state.GetType().Name),
    };

    private static (InformerState<T>, InformerDelta<T>?) InListing<T>(Listing<T> l, InformerSignal<T> signal) where T : class => signal switch
    {
        PageArrived<T> { Continue: { Length: > 0 } more } p => (l with { Continue = more, Pages = l.Pages.Push(p.Items) }, null),
        PageArrived<T> p => (new Watching<T>(l.Streams, p.ResourceVersion), new Replace<T>(l.Pages.Push(p.Items).SelectMany(page => page), p.ResourceVersion)),
        VersionGone<T> => (new Listing<T>(l.Streams, l.Expired + 1), null),   // the pages so far are of a version nobody can complete
        RequestFailed<T> => (l, null),                                       // ask for the same page again
        _ => throw Unexpected(l, signal),
    };

    private static (InformerState<T>, InformerDelta<T>?) InStreaming<T>(Streaming<T> s, InformerSignal<T> signal) where T : class => signal switch
    {
        ObjectChanged<T> c => (s with { Seen = s.Seen.SetItem(c.Key, c.Item) }, null),
        ObjectDeleted<T> d => (s with { Seen = s.Seen.Remove(d.Key) }, null),
        BookmarkArrived<T> { EndsInitialEvents: true } b => (new Watching<T>(true, b.ResourceVersion), new Replace<T>(s.Seen.Values, b.ResourceVersion)),
        BookmarkArrived<T> => (s, null),
        StreamingRefused<T> => (new Listing<T>(streams: false), null),
        StreamEnded<T> or RequestFailed<T> or VersionGone<T> => (s.Broken + 1 < MostBrokenStreams ? new Streaming<T>(s.Broken + 1) : new Listing<T>(streams: true), null),
        _ => throw Unexpected(s, signal),
    };

    private static (InformerState<T>, InformerDelta<T>?) InWatching<T>(Watching<T> w, InformerSignal<T> signal) where T : class => signal switch
    {
        // Versions of one resource only grow, so what is not newer was told before.
        ObjectChanged<T> c when IsNews(c.ResourceVersion, w) => (w with { ResourceVersion = c.ResourceVersion }, new Upsert<T>(c.Key, c.Item, c.ResourceVersion)),
        ObjectDeleted<T> d when IsNews(d.ResourceVersion, w) => (w with { ResourceVersion = d.ResourceVersion }, new Remove<T>(d.Key, d.Item, d.ResourceVersion)),
        BookmarkArrived<T> b when IsNews(b.ResourceVersion, w) => (w with { ResourceVersion = b.ResourceVersion }, new Progress<T>(b.ResourceVersion)),
        ObjectChanged<T> or ObjectDeleted<T> or BookmarkArrived<T> => (w, null),
        StreamEnded<T> => (w, null),   // resume from the version we hold
        RequestFailed<T> => (new Doubting<T>(w.Streams, w.ResourceVersion), null),
        VersionGone<T> => (Start<T>(w.Streams), null),
        _ => throw Unexpected(w, signal),
    };

    private static (InformerState<T>, InformerDelta<T>?) InDoubt<T>(Doubting<T> d, InformerSignal<T> signal) where T : class => signal switch
    {
        NewestVersionArrived<T> n when ResourceVersions.Compare(n.ResourceVersion, d.ResourceVersion) < 0 => (Start<T>(d.Streams), null),
        NewestVersionArrived<T> => (new Watching<T>(d.Streams, d.ResourceVersion), null),
        RequestFailed<T> or VersionGone<T> => (d, null),
        _ => throw Unexpected(d, signal),
    };

    private static bool IsNews<T>(string version, Watching<T> w) where T : class => ResourceVersions.Compare(version, w.ResourceVersion) is not <= 0;

    private static UnreachableException Unexpected<T>(InformerState<T> state, InformerSignal<T> signal) where T : class => new($"{signal.GetType().Name} in {state.GetType().Name}");
}
