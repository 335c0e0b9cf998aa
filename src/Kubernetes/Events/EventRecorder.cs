using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Opt.Kubernetes;

/// <summary>How serious an event is.</summary>
public enum EventType
{
    Normal,
    Warning,
}

/// <summary>
/// Reports events in the background. Repetitions become one event with a count, and an object that reports without end is limited. Events are for
/// people: losing one is logged, and never fails or delays the work that reported it.
/// </summary>
public sealed partial class EventRecorder
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);
    private const int LongestNote = 1024;   // bytes; the API refuses more
    private readonly ResourceClient<Eventsv1Event> _events;
    private readonly EventCorrelator _correlator;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly string _controller;
    private readonly string _instance;
    private readonly Channel<EventKey> _queue = Channel.CreateBounded<EventKey>(new BoundedChannelOptions(1000) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });

    /// <param name="controller">Who reports, as a domain-prefixed name: <c>example.com/gadget-controller</c>.</param>
    /// <param name="instance">Which replica, such as the pod name. At most 128 characters.</param>
    public EventRecorder(ResourceClient<Eventsv1Event> events, string controller, string instance, TimeProvider? clock = null, ILogger<EventRecorder>? logger = null)
    {
        (_events, _controller, _instance, _clock, _logger) = (events, controller, instance, clock ?? TimeProvider.System, logger ?? NullLogger<EventRecorder>.Instance);
        _correlator = new(_clock);
    }

    /// <summary>Queues a report about <paramref name="regarding"/>; returns at once.</summary>
    /// <param name="reason">Why, CamelCase: <c>NodeLost</c>.</param>
    /// <param name="action">What was done, CamelCase: <c>Relaunch</c>.</param>
    /// <param name="note">For people. Cut to 1024 bytes.</param>
    public void Publish(V1ObjectReference regarding, EventType type, string reason, string action, string note, V1ObjectReference? related = null)
    {
        ArgumentNullException.ThrowIfNull(regarding);
        var key = new EventKey(Bare(regarding), type, reason, action, Cut(note), related is null ? null : Bare(related));
        if (!_queue.Writer.TryWrite(key)) Log.Dropped(_logger, reason, regarding.Name ?? "", "too many events are waiting");
    }

    /// <summary>Sends until cancelled; then sends what is queued, for at most five seconds.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        // Sending outlives the caller's token by the grace period: what was queued before stopping is often what explains the stop.
        using var grace = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _clock);
        await using var stopping = ct.Register(() => grace.CancelAfter(Grace));
        try
        {
            await SendUntilStoppedAsync(ct, grace.Token);
            await DrainAsync(grace.Token);
            await SendAllAsync(_correlator.Flush(everything: true), grace.Token);
        }
        catch (OperationCanceledException) when (grace.IsCancellationRequested)
        {
            Log.Dropped(_logger, "*", "*", "stopping");
        }
    }

    private async Task SendUntilStoppedAsync(CancellationToken ct, CancellationToken grace)
    {
        using var tick = new PeriodicTimer(EventCorrelator.FlushEvery, _clock);
        try
        {
            var (reports, flush) = (_queue.Reader.WaitToReadAsync(ct).AsTask(), tick.WaitForNextTickAsync(ct).AsTask());
            while (true)
            {
                var ready = await Task.WhenAny(reports, flush);
                await ready;   // throws if it was cancelled
                if (ready == reports)
                {
                    await DrainAsync(grace);
                    reports = _queue.Reader.WaitToReadAsync(ct).AsTask();
                }
                else
                {
                    await SendAllAsync(_correlator.Flush(), grace);
                    flush = tick.WaitForNextTickAsync(ct).AsTask();
                }
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested && !grace.IsCancellationRequested)
        {
            // what is left is sent by the caller
        }
    }

    private async Task SendAllAsync(IReadOnlyList<EventRecord> records, CancellationToken ct)
    {
        foreach (var record in records) await SendAsync(record, ct);
    }

    private async Task DrainAsync(CancellationToken ct)
    {
        while (_queue.Reader.TryRead(out var key))
        {
            switch (_correlator.Observe(key))
            {
                case EventDecision.Send send:
                    await SendAsync(send.Record, ct);
                    break;
                case EventDecision.Limited:
                    Log.Dropped(_logger, key.Reason, key.Regarding.Name ?? "", "the object reports too often");
                    break;
            }
        }
    }

    private async Task SendAsync(EventRecord record, CancellationToken ct)
    {
        var item = record.ToEvent(_controller, _instance);
        try
        {
            if (!await TryUpdateAsync(record, item, ct)) await CreateAsync(item, ct);
            _correlator.Sent(record);
        }
        catch (KubernetesException e)
        {
            Log.Dropped(_logger, record.Key.Reason, record.Key.Regarding.Name ?? "", e.Message);
        }
    }

    private async Task<bool> TryUpdateAsync(EventRecord record, Eventsv1Event item, CancellationToken ct)
    {
        if (record.Count == 1 || !record.Exists) return false;
        try
        {
            await _events.PatchAsync(_events.Definition.KeyOf(item), record.SeriesPatch(), ct);
            return true;
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return false;   // it has expired: report it anew
        }
    }

    private async Task CreateAsync(Eventsv1Event item, CancellationToken ct)
    {
        try
        {
            await _events.CreateAsync(item, ct);
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            // an earlier attempt whose answer was lost
        }
    }

    // Versions differ between reports about the same thing.
    private static V1ObjectReference Bare(V1ObjectReference reference) => reference with { ResourceVersion = null };

    private static string Cut(string note)
    {
        if (Encoding.UTF8.GetByteCount(note) <= LongestNote) return note;
        var text = new StringBuilder();
        var bytes = Encoding.UTF8.GetByteCount("...");
        foreach (var rune in note.EnumerateRunes())
        {
            bytes += rune.Utf8SequenceLength;
            if (bytes > LongestNote) break;
            text.Append(rune);
        }

        return text.Append("...").ToString();
    }

    private static partial class Log   // 14xx: events
    {
        [LoggerMessage(1401, LogLevel.Information, "Event {Reason} about {Name} was not reported: {Why}")]
        public static partial void Dropped(ILogger logger, string reason, string name, string why);
    }
}
