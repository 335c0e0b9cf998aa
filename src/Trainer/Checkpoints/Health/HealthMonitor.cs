using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Counts good steps after checkpoints. A step is bad when its loss or gradient norm is not finite although it was applied, when the loss scale is below the
/// limit (fp16), or when the trends that lead up to it mean trouble (<see cref="HealthTrends"/>); a skipped attempt with a good scale is neither. A checkpoint
/// is healthy once so many steps in a row were good since it, or since the last bad step after it: training went on from it and recovered.
/// </summary>
internal sealed class HealthMonitor(HealthSpec spec)
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<long, Waiting> _pending = [];
    private readonly Queue<StepRecord> _window = [];
    private HealthSpec _spec = spec;
    private HealthTrends? _before;
    private HealthRecord _now = new();

    /// <summary>How the run does as of the last record: what a commit says.</summary>
    public HealthRecord Now
    {
        get
        {
            lock (_gate) return _now;
        }
    }

    /// <summary>What counts as healthy from the next record on.</summary>
    public void Adopt(HealthSpec spec)
    {
        lock (_gate) _spec = spec;
    }

    /// <summary>Goes on where the run that saved <paramref name="entry"/> was.</summary>
    public void Resume(LogState state, long entry)
    {
        lock (_gate)
        {
            _pending.Clear();
            _window.Clear();
            var resumed = state.Checkpoints.GetValueOrDefault(entry)?.Commit;
            _before = resumed?.Trends;
            _now = new(resumed?.LastBadStep ?? 0, null, _before);
            foreach (var ancestor in state.Ancestry(entry).Where(c => c.Verdict == HealthVerdict.Pending && !c.Commit.InMemory)) _pending[ancestor.Entry] = new(ancestor.Commit.Step, ancestor.Reason.Length > 0);
        }
    }

    /// <param name="record">What its commit says.</param>
    public void Committed(long entry, long step, HealthRecord record)
    {
        lock (_gate) _pending[entry] = new(step, record.Trouble is not null);
    }

    /// <summary>What is now to be said of commit entries: each is once healthy, and before that at most once pending with the reason.</summary>
    public IReadOnlyList<HealthFinding> Observe(StepRecord record, bool lossScaling)
    {
        lock (_gate)
        {
            Look(record);
            var trouble = Bad(record, lossScaling) ?? _now.Trends?.Trouble(_spec);
            _now = _now with { LastBadStep = trouble is null ? _now.LastBadStep : Math.Max(1, record.Step), Trouble = trouble };
            return trouble is null ? Healthy(record.Step) : StillWaiting(record.Step, trouble);
        }
    }

    private HealthFinding[] Healthy(long step)
    {
        HealthFinding[] healthy = [.. _pending.Where(c => step - Math.Max(c.Value.Step, _now.LastBadStep) >= _spec.AfterSteps).Select(c => new HealthFinding(c.Key, HealthVerdict.Healthy, $"good steps up to {step}"))];
        foreach (var finding in healthy) _pending.Remove(finding.Entry);
        return healthy;
    }

    private HealthFinding[] StillWaiting(long step, string trouble)
    {
        HealthFinding[] waiting = [.. _pending.Where(c => !c.Value.Told).Select(c => new HealthFinding(c.Key, HealthVerdict.Pending, $"step {step}: {trouble}"))];
        foreach (var finding in waiting) _pending[finding.Entry] = _pending[finding.Entry] with { Told = true };
        return waiting;
    }

    private void Look(StepRecord record)
    {
        if (record.Skipped) return;
        _window.Enqueue(record);
        if (_window.Count > HealthTrends.Window) _window.Dequeue();
        _now = _now with { Trends = HealthTrends.Of([.. _window], _before) };
    }

    private string? Bad(StepRecord record, bool lossScaling)
    {
        if (lossScaling && record.LossScale < _spec.LossScaleAtLeast) return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"the loss scale is {record.LossScale}, below {_spec.LossScaleAtLeast}");
        if (record.Skipped) return null;
        return record.Loss is null ? "the loss is not finite" : record.GradientNorm is null ? "the gradient norm is not finite" : null;
    }

    /// <param name="Told">Its reason for being pending is in the log.</param>
    private readonly record struct Waiting(long Step, bool Told);
}
