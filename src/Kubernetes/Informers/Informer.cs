using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Opt.Kubernetes;

/// <summary>
/// Keeps a local copy of a resource up to date. This class only moves bytes: what each answer means is <see cref="InformerMachine"/>'s.
/// </summary>
public sealed partial class Informer<T> : IDisposable where T : class
{
    private static readonly TimeSpan LongAgo = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestAsked = TimeSpan.FromMinutes(5);
    private readonly ResourceClient<T> _client;
    private readonly InformerOptions<T> _options;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private ImmutableArray<Action<InformerChange<T>>> _handlers = [];
    private readonly List<(Func<InformerSnapshot<T>, bool> Holds, TaskCompletionSource Done)> _waiters = [];
    private InformerState<T> _state;
    private volatile InformerSnapshot<T> _snapshot;
    private long _lastContact;
    private long _relistedAt;
    private int _relists;   // full lists in quick succession
    private int _failures;

    public Informer(ResourceClient<T> client, InformerOptions<T>? options = null, ILogger<Informer<T>>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        (_client, _options, _logger) = (client, options ?? new(), logger ?? NullLogger<Informer<T>>.Instance);
        _state = InformerMachine.Start<T>(_options.StreamInitialState);
        _snapshot = InformerSnapshot<T>.Empty(client.Definition, _options.Indexes);
        _lastContact = client.Clock.GetTimestamp();
    }

    /// <summary>The newest complete state. Empty, with a null version, before the first list is complete.</summary>
    public InformerSnapshot<T> Snapshot => _snapshot;

    public bool HasSynced => _snapshot.ResourceVersion is not null;

    /// <summary>How long nothing has been heard from the server. In a healthy watch a bookmark comes about every minute.</summary>
    public TimeSpan SilentFor => _client.Clock.GetElapsedTime(Volatile.Read(ref _lastContact));

    /// <summary>
    /// Calls <paramref name="handler"/> for every present object, then for every change, one at a time and in order. It must be quick and not
    /// block: it holds up the watch. Enqueue a key and return. Dispose the result to stop.
    /// </summary>
    public IDisposable Subscribe(Action<InformerChange<T>> handler)
    {
        lock (_gate)
        {
            foreach (var (key, item) in _snapshot.Keys.Zip(_snapshot.Items)) Notify(handler, new(key, null, item));
            _handlers = _handlers.Add(handler);
        }

        return new Subscription(this, handler);
    }

    public Task WaitForSyncAsync(CancellationToken ct) => WaitUntilAsync(static s => s.ResourceVersion is not null, ct);

    /// <summary>
    /// Completes once the copy includes what a write returned, so that a decision made next does not repeat the write. With a selector,
    /// a write outside of it is only seen with the next bookmark.
    /// </summary>
    public Task WaitUntilSeenAsync(T written, CancellationToken ct) =>
        WaitUntilSeenAsync(_client.Definition.MetadataOf(written).ResourceVersion ?? throw new ArgumentException("The object was not returned by a write: it has no resourceVersion.", nameof(written)), ct);

    /// <summary>Completes once the copy has reached <paramref name="resourceVersion"/>.</summary>
    public Task WaitUntilSeenAsync(string resourceVersion, CancellationToken ct) =>
        WaitUntilAsync(s => s.ResourceVersion is { } held && ResourceVersions.Reached(held, resourceVersion), ct);

    /// <summary>Completes once the object with that uid is no longer in the copy.</summary>
    public Task WaitUntilGoneAsync(ObjectKey key, string uid, CancellationToken ct) =>
        WaitUntilAsync(s => s.ResourceVersion is not null && (s.Find(key) is not { } item || _client.Definition.MetadataOf(item).Uid != uid), ct);

    /// <summary>
    /// Completes once the copy includes everything that the server had when this was called. Reads the whole list: for tests and tools that
    /// must know that nothing is on its way, not for reconcilers.
    /// </summary>
    /// <exception cref="KubernetesException">The server did not answer.</exception>
    public async Task IdleAsync(CancellationToken ct)
    {
        var list = await _client.ListAsync(_options.Namespace, ListOptions(_options.PageSize, null), ct);
        var version = list.Metadata.ResourceVersion ?? "";
        var there = list.Items.ToDictionary(_client.Definition.KeyOf, VersionOf);
        // The list's version is that of the whole server; without a bookmark the copy of one resource may never be told of it.
        await WaitUntilAsync(s => s.ResourceVersion is { } held && (ResourceVersions.Reached(held, version) ||
            (there.All(o => s.Find(o.Key) is { } item && ResourceVersions.Reached(VersionOf(item), o.Value)) && s.Items.All(i => there.ContainsKey(_client.Definition.KeyOf(i)) || IsLater(i)))), ct);

        bool IsLater(T item) => ResourceVersions.Compare(VersionOf(item), version) > 0;
    }

    /// <summary>Completes once <paramref name="holds"/> is true of the copy. It is called under a lock: it must be quick.</summary>
    public async Task WaitUntilAsync(Func<InformerSnapshot<T>, bool> holds, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(holds);
        var waiter = (holds, Done: new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        lock (_gate)
        {
            if (holds(_snapshot)) return;
            _waiters.Add(waiter);
        }

        try
        {
            await waiter.Done.Task.WaitAsync(ct);
        }
        finally
        {
            lock (_gate) _waiters.Remove(waiter);
        }
    }

    /// <summary>Lists and watches until cancelled. Never fails: trouble is logged and retried, with growing pauses.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            try
            {
                await ExecuteAsync(InformerMachine.Next(_state), ct);
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                return;
            }
            catch (KubernetesException e)
            {
                await RecoverAsync(e, ct);
            }
        }
    }

    public void Dispose()
    {
        lock (_gate) _handlers = [];
    }

    private async Task ExecuteAsync(InformerRequest request, CancellationToken ct)
    {
        switch (request)
        {
            case RequestPage r:
                var page = await _client.ListPageAsync(_options.Namespace, ListOptions(r.Growth >= 3 ? 0 : _options.PageSize << r.Growth, r.Continue), ct);
                On(new PageArrived<T>([.. page.Items.Select(Transformed)], page.Metadata.Continue, page.Metadata.ResourceVersion ?? ""));
                break;
            case RequestNewestVersion:
                var newest = await _client.ListPageAsync(_options.Namespace, ListOptions(1, null), ct);
                On(new NewestVersionArrived<T>(newest.Metadata.ResourceVersion ?? ""));
                break;
            case RequestWatch r:
                await FollowAsync(WatchOptions() with { ResourceVersion = r.ResourceVersion }, ct);
                break;
            case RequestStream:
                await FollowAsync(WatchOptions() with { SendInitialEvents = true }, ct);
                break;
        }
    }

    private async Task FollowAsync(WatchOptions options, CancellationToken ct)
    {
        var heard = false;
        await foreach (var e in _client.WatchAsync(_options.Namespace, options, ct))
        {
            heard = true;
            On(SignalOf(e));
        }

        if (heard)
        {
            _client.Metrics.WatchRestarted(_client.Definition.ToString(), WatchEnd.Ended);
            On(new StreamEnded<T>());
        }
        else throw new KubernetesException($"watching {_client.Definition}", new IOException("the server ended the watch without a word"));
    }

    private InformerSignal<T> SignalOf(WatchEvent<T> e) => e switch
    {
        { Type: WatchEventType.Bookmark } => new BookmarkArrived<T>(e.ResourceVersion, e.EndsInitialEvents),
        { Type: WatchEventType.Deleted, Object: { } item } => new ObjectDeleted<T>(_client.Definition.KeyOf(item), Transformed(item), e.ResourceVersion),
        { Object: { } item } => new ObjectChanged<T>(_client.Definition.KeyOf(item), Transformed(item), e.ResourceVersion),
        _ => throw new System.Diagnostics.UnreachableException($"{e.Type} without an object"),
    };

    private async Task RecoverAsync(KubernetesException e, CancellationToken ct)
    {
        if (e.IsGone) _relistedAt = _client.Clock.GetTimestamp();
        var refused = _state is Streaming<T> && e.IsInvalid;
        var watched = _state is Streaming<T> or Watching<T>;
        var wasGone = e.IsGone;
        Step(refused ? new StreamingRefused<T>() : wasGone ? new VersionGone<T>() : new RequestFailed<T>());
        _failures++;
        if (watched) _client.Metrics.WatchRestarted(_client.Definition.ToString(), refused ? WatchEnd.Refused : wasGone ? WatchEnd.Gone : WatchEnd.Interrupted);
        if (refused) Log.StreamingRefused(_logger, _client.Definition.ToString(), e.Message);
        else if (wasGone) Log.Relisting(_logger, _client.Definition.ToString(), e.Message);
        else Log.Interrupted(_logger, _client.Definition.ToString(), _failures, e.Message);
        // "Too old" and "not here" are answers of a healthy server: go on at once, unless it has just happened.
        if (wasGone) _failures = ++_relists;
        if ((refused || wasGone) && _failures == 1) return;
        await PauseAsync(e.RetryAfter ?? TimeSpan.Zero, ct);
    }

    /// <param name="asked">What the server asked for; honoured up to <see cref="LongestAsked"/>.</param>
    private async Task PauseAsync(TimeSpan asked, CancellationToken ct)
    {
        var full = Math.Min(_options.BackoffCap.TotalSeconds, _options.Backoff.TotalSeconds * Math.Pow(2, Math.Min(_failures, 20) - 1));
        var own = TimeSpan.FromSeconds(full * (0.5 + _client.Options.Random() / 2));
        var least = asked < LongestAsked ? asked : LongestAsked;
        try
        {
            // On top of what was asked, not instead: everybody was told the same.
            await Task.Delay(least + own, _client.Clock, ct);
        }
        catch (OperationCanceledException)
        {
            // RunAsync sees the token
        }
    }

    private void On(InformerSignal<T> signal)
    {
        Volatile.Write(ref _lastContact, _client.Clock.GetTimestamp());
        _failures = 0;
        if (_client.Clock.GetElapsedTime(_relistedAt) > LongAgo) _relists = 0;
        Step(signal);
    }

    private void Step(InformerSignal<T> signal)
    {
        (_state, var delta) = InformerMachine.Step(_state, signal);
        if (delta is null) return;
        lock (_gate)
        {
            var (next, changes) = _snapshot.Apply(delta);
            _snapshot = next;
            foreach (var change in changes)
            {
                foreach (var handler in _handlers) Notify(handler, change);
            }

            foreach (var (holds, done) in _waiters)
            {
                if (holds(next)) done.TrySetResult();
            }
        }
    }

    private void Notify(Action<InformerChange<T>> handler, InformerChange<T> change)
    {
        try
        {
            handler(change);
        }
        catch (Exception e)
        {
            Log.HandlerFailed(_logger, _client.Definition.ToString(), change.Key, e);   // one bad subscriber must not stop the others
        }
    }

    private string VersionOf(T item) => _client.Definition.MetadataOf(item).ResourceVersion ?? "";

    private T Transformed(T item) => _options.Transform is null ? item : _options.Transform(item);

    private ListOptions ListOptions(int pageSize, string? token) =>
        new() { LabelSelector = _options.LabelSelector, FieldSelector = _options.FieldSelector, PageSize = pageSize, Continue = token };

    // Watches of many informers must not all end in the same second.
    private WatchOptions WatchOptions() =>
        new() { LabelSelector = _options.LabelSelector, FieldSelector = _options.FieldSelector, Timeout = TimeSpan.FromMinutes(5 * (1 + _client.Options.Random())) };

    private sealed class Subscription(Informer<T> informer, Action<InformerChange<T>> handler) : IDisposable
    {
        public void Dispose()
        {
            lock (informer._gate) informer._handlers = informer._handlers.Remove(handler);
        }
    }
}
