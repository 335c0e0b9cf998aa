using System.Globalization;
using System.Text.Json.Nodes;

namespace Opt.Kubernetes;

/// <summary>What makes two reports the same event.</summary>
internal sealed record EventKey(V1ObjectReference Regarding, EventType Type, string Reason, string Action, string Note, V1ObjectReference? Related);

/// <summary>An event and how often it was seen.</summary>
internal sealed record EventRecord(EventKey Key, string Name, DateTimeOffset First, DateTimeOffset Last, int Count, bool Exists)
{
    public Eventsv1Event ToEvent(string controller, string instance) => new()
    {
        Metadata = new() { Name = Name, Namespace = Key.Regarding.Namespace ?? "default" },
        EventTime = First,
        ReportingController = controller,
        ReportingInstance = instance,
        Type = Key.Type.ToString(),
        Reason = Key.Reason,
        Action = Key.Action,
        Note = Key.Note,
        Regarding = Key.Regarding,
        Related = Key.Related,
        Series = Count == 1 ? null : new() { Count = Count, LastObservedTime = Last },
    };

    public Patch SeriesPatch()
    {
        var last = Last.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
        return Patch.Merge(new JsonObject { ["series"] = new JsonObject { ["count"] = Count, ["lastObservedTime"] = last } });
    }
}

/// <summary>What to do with a report.</summary>
internal abstract record EventDecision
{
    public sealed record Send(EventRecord Record) : EventDecision;

    /// <summary>Counted; the count is sent with the next flush.</summary>
    public sealed record Counted : EventDecision;

    public sealed record Limited : EventDecision;
}

/// <summary>
/// Folds repetitions into series and limits talkative objects, with client-go's figures: a series ends after six quiet minutes; an object may
/// report 25 different events at once and one more every five minutes. Not thread-safe.
/// </summary>
internal sealed class EventCorrelator(TimeProvider clock)
{
    public static readonly TimeSpan FlushEvery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan SeriesEnd = TimeSpan.FromMinutes(6);
    private const int Burst = 25;
    private const double RefillPerSecond = 1 / 300.0;
    private const int MostObjects = 4096;
    private readonly Dictionary<EventKey, (EventRecord Record, bool Unsent)> _series = [];
    private readonly Dictionary<(string? Namespace, string? Name, string? Uid), TokenBucket> _limits = [];
    private long _names;

    public EventDecision Observe(EventKey key)
    {
        var now = clock.GetUtcNow();
        if (_series.TryGetValue(key, out var known))
        {
            var again = known.Record with { Count = known.Record.Count + 1, Last = now };
            _series[key] = (again, true);
            return again.Count == 2 ? new EventDecision.Send(again) : new EventDecision.Counted();   // that it repeats is news; how often can wait
        }

        if (!LimitOf(key.Regarding).TryTake()) return new EventDecision.Limited();
        var record = new EventRecord(key, NameOf(key, now), now, now, 1, Exists: false);
        _series[key] = (record, false);
        return new EventDecision.Send(record);
    }

    /// <summary>The server has it now.</summary>
    public void Sent(EventRecord record)
    {
        if (_series.TryGetValue(record.Key, out var known)) _series[record.Key] = (known.Record with { Exists = true }, known.Record.Count != record.Count);
    }

    /// <summary>The counts that the server does not have yet. Series that have been quiet are forgotten.</summary>
    public IReadOnlyList<EventRecord> Flush(bool everything = false)
    {
        var now = clock.GetUtcNow();
        var unsent = _series.Values.Where(s => s.Unsent).Select(s => s.Record).ToArray();
        foreach (var quiet in _series.Values.Where(s => everything || now - s.Record.Last > SeriesEnd).Select(s => s.Record.Key).ToArray()) _series.Remove(quiet);
        return unsent;
    }

    private TokenBucket LimitOf(V1ObjectReference regarding)
    {
        if (_limits.Count >= MostObjects) _limits.Clear();   // forgives everybody; bounded memory matters more
        var id = (regarding.Namespace, regarding.Name, regarding.Uid);
        if (!_limits.TryGetValue(id, out var limit)) _limits[id] = limit = new(RefillPerSecond, Burst, clock);
        return limit;
    }

    private string NameOf(EventKey key, DateTimeOffset now)
    {
        var name = key.Regarding.Name ?? "unnamed";
        return $"{(name.Length > 200 ? name[..200] : name)}.{now.UtcTicks + _names++:x}";
    }
}
