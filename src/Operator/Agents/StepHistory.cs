using Opt.Api;
using Opt.Api.Protocol;
using Opt.Planning;

namespace Opt.Operator.Agents;

/// <summary>The newest step records of a job, and when attempts last advanced. Not thread-safe; its owner locks.</summary>
internal sealed class StepHistory(DateTimeOffset since)
{
    private const int Trailing = 32;
    private const int Kept = 8192;
    private const int LineageKept = 5000;
    private readonly Queue<double> _seconds = new();
    private readonly List<StepRecord> _unaccounted = [];
    private readonly List<StepRecord> _lineage = [];
    private StepRecord? _newest;
    private DateTimeOffset _advancedAt = since;
    private (long Epoch, long Attempt) _furthest;

    /// <summary>A record from rank 0's agent; true when it is news.</summary>
    public bool Add(StepRecord record, DateTimeOffset now)
    {
        if (_newest is not null && (record.Epoch, record.Attempt).CompareTo((_newest.Epoch, _newest.Attempt)) <= 0) return false;
        if (record.Epoch != _newest?.Epoch) _seconds.Clear();   // another world size, another step time
        _newest = record;
        _seconds.Enqueue(record.Seconds);
        if (_seconds.Count > Trailing) _seconds.Dequeue();
        _unaccounted.Add(record);
        Continue(record);
        if (_unaccounted.Count > Kept) _unaccounted.RemoveRange(0, _unaccounted.Count - Kept);
        Advance(record.Epoch, record.Attempt, now);
        return true;
    }

    /// <summary>What any agent says of its workers' newest attempt: it advances even while rank 0's agent cannot be reached.</summary>
    public void Advance(long epoch, long attempt, DateTimeOffset now)
    {
        if (attempt <= 0 || (epoch, attempt).CompareTo(_furthest) <= 0) return;
        _furthest = (epoch, attempt);
        _advancedAt = now;
    }

    /// <summary>
    /// After the clock was set, the last advance is as long ago as before: else one set forward is a hang, and after one set back none is found until the clock
    /// has caught up.
    /// </summary>
    public void Shift(TimeSpan jump, DateTimeOffset now) => _advancedAt = _advancedAt + jump > now ? now : _advancedAt + jump;

    /// <summary>Epoch of the newest record; null before the first.</summary>
    public long? Epoch => _newest?.Epoch;

    /// <param name="accounted">Records up to then are in the ledger.</param>
    public StepView View(DateTimeOffset? accounted, CheckpointSummary? committed, CheckpointSummary? healthy)
    {
        if (accounted is { } until) _unaccounted.RemoveAll(r => r.Time <= until);
        return new() { Newest = _newest, History = [.. _lineage], AdvancedAt = _advancedAt, MedianSeconds = Median(), New = [.. _unaccounted], Committed = committed, Healthy = healthy };
    }

    /// <summary>A new epoch takes back the attempts after the checkpoint it went on from.</summary>
    private void Continue(StepRecord record)
    {
        while (_lineage.Count > 0 && _lineage[^1].Attempt >= record.Attempt) _lineage.RemoveAt(_lineage.Count - 1);
        _lineage.Add(record);
        if (_lineage.Count > LineageKept + LineageKept / 10) _lineage.RemoveRange(0, _lineage.Count - LineageKept);
    }

    private double Median()
    {
        if (_seconds.Count == 0) return 0;
        var sorted = _seconds.Order().ToArray();
        return sorted[sorted.Length / 2];
    }
}
