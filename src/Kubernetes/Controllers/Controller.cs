using Microsoft.Extensions.Logging;

namespace Opt.Kubernetes;

/// <summary>
/// Turns changes into calls of an <see cref="IEntityController{T}"/>: informers enqueue keys, workers take them. Wire it with
/// <see cref="Watch{TOther}"/>, then run it; informers are run by their owner, since several controllers may share one.
/// </summary>
public sealed partial class Controller<T> : IDisposable where T : class
{
    private readonly Informer<T> _informer;
    private readonly IEntityController<T> _reconciler;
    private readonly ControllerOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly ControllerMetrics _metrics;
    private readonly List<IDisposable> _subscriptions = [];
    private readonly List<Func<CancellationToken, Task>> _synced = [];

    public Controller(
        Informer<T> informer, IEntityController<T> reconciler, ControllerOptions options, TimeProvider clock, ILogger<Controller<T>> logger, ControllerMetrics? metrics = null)
    {
        (_informer, _reconciler, _options, _clock, _logger, _metrics) = (informer, reconciler, options, clock, logger, metrics ?? ControllerMetrics.Unlistened);
        Queue = new(clock, options.Queue);
        _metrics.Watch(options.Name, () => Queue.Due);
        Watch(informer, static change => [change.Key]);
    }

    /// <summary>The keys waiting. Add one to have it looked at for a reason that no informer sees, such as an agent's report.</summary>
    public WorkQueue<ObjectKey> Queue { get; }

    /// <summary>Enqueues the keys that a change of another resource concerns.</summary>
    /// <param name="awaited">Whether nothing is reconciled before that informer is complete.</param>
    public Controller<T> Watch<TOther>(Informer<TOther> informer, Func<InformerChange<TOther>, IEnumerable<ObjectKey>> concerns, bool awaited = true) where TOther : class
    {
        ArgumentNullException.ThrowIfNull(informer);
        if (awaited) _synced.Add(informer.WaitForSyncAsync);
        _subscriptions.Add(informer.Subscribe(change =>
        {
            foreach (var key in concerns(change)) Queue.Add(key);
        }));
        return this;
    }

    /// <summary>Enqueues the controlling owner, if it is of kind <paramref name="ownerKind"/>, of each changed object.</summary>
    public Controller<T> WatchOwned<TOther>(Informer<TOther> informer, ResourceDefinition<TOther> definition, string ownerKind) where TOther : class =>
        Watch(informer, change => new[] { change.Old, change.New }.OfType<TOther>().Select(definition.MetadataOf)
            .Where(meta => meta.ControllerOwner()?.Kind == ownerKind)
            .Select(meta => new ObjectKey(meta.Namespace, meta.ControllerOwner()!.Name!)).Distinct());

    /// <summary>Works until cancelled. Nothing is reconciled before every awaited informer is complete.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        try
        {
            await Task.WhenAll(_synced.Select(synced => synced(ct)));
            foreach (var key in _informer.Snapshot.Keys) Queue.Add(key);   // a new term looks at everything, whoever led before
            await Task.WhenAll(Enumerable.Range(0, _options.Workers).Select(_ => WorkAsync(ct)));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // stopping is not an error
        }
    }

    public void Dispose()
    {
        foreach (var subscription in _subscriptions) subscription.Dispose();
        Queue.Dispose();
    }

    private async Task WorkAsync(CancellationToken stopping)
    {
        while (true)
        {
            var key = await Queue.TakeAsync(stopping);
            using var deadline = new CancellationTokenSource(_options.AttemptTimeout, _clock);
            using var attempt = CancellationTokenSource.CreateLinkedTokenSource(stopping, deadline.Token);
            var started = _clock.GetTimestamp();
            try
            {
                var next = await ReconcileAsync(key, attempt.Token);
                Queue.Done(key, next);
                _metrics.Attempted(_options.Name, Outcome.Success, _clock.GetElapsedTime(started));
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                Queue.Done(key);   // the next leader starts from the objects, not from this queue
                throw;
            }
            catch (Exception e)
            {
                _metrics.Attempted(_options.Name, Fail(key, e), _clock.GetElapsedTime(started));
            }
        }
    }

    private Task<Requeue> ReconcileAsync(ObjectKey key, CancellationToken ct) =>
        _informer.Snapshot.Find(key) is { } entity ? _reconciler.ReconcileAsync(entity, ct) : _reconciler.DeletedAsync(key, ct);

    /// <summary>The one place where a failure is judged, logged and scheduled.</summary>
    private Outcome Fail(ObjectKey key, Exception e)
    {
        switch (_options.Classify(e))
        {
            case Failure.Conflict:
                var soon = Queue.Failed(key);
                Log.Conflict(_logger, _options.Name, key, soon.TotalSeconds, e.Message);
                return Outcome.Conflict;
            case Failure.Terminal:
                Queue.Done(key, Requeue.In(_options.TerminalRetry));
                Log.Terminal(_logger, _options.Name, key, e);
                return Outcome.Terminal;
            default:
                var wait = Queue.Failed(key);
                Log.Failed(_logger, _options.Name, key, Queue.FailuresOf(key), wait.TotalSeconds, e);
                return Outcome.Retry;
        }
    }
}
