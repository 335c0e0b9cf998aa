using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Counts good steps after checkpoints. A step is bad when its loss or gradient norm is not finite although it was applied, or when the loss
/// scale is below the limit (fp16); a skipped attempt with a good scale is neither. A checkpoint is healthy once so many steps in a
/// row were good since it, or since the last bad step after it: training went on from it and recovered.
/// </summary>
internal sealed class HealthMonitor(HealthSpec spec)
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<long, long> _pending = [];
    private HealthSpec _spec = spec;
    private long _lastBadStep;

    /// <summary>Newest step that was not good; 0 for none.</summary>
    public long LastBadStep
    {
        get
        {
            lock (_gate) return _lastBadStep;
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
            _lastBadStep = state.Checkpoints.TryGetValue(entry, out var resumed) ? resumed.Commit.LastBadStep : 0;
            foreach (var ancestor in state.Ancestry(entry).Where(c => c.Verdict == HealthVerdict.Pending && !c.Commit.InMemory)) _pending[ancestor.Entry] = ancestor.Commit.Step;
        }
    }

    public void Committed(long entry, long step)
    {
        lock (_gate) _pending[entry] = step;
    }

    /// <summary>Commit entries that are healthy as of this record; each is answered once.</summary>
    public IReadOnlyList<long> Observe(StepRecord record, bool lossScaling)
    {
        lock (_gate)
        {
            if (IsBad(record, lossScaling)) _lastBadStep = Math.Max(1, record.Step);
            var healthy = _pending.Where(c => record.Step - Math.Max(c.Value, _lastBadStep) >= _spec.AfterSteps).Select(c => c.Key).ToArray();
            foreach (var entry in healthy) _pending.Remove(entry);
            return healthy;
        }
    }

    private bool IsBad(StepRecord record, bool lossScaling)
    {
        if (lossScaling && record.LossScale < _spec.LossScaleAtLeast) return true;
        return !record.Skipped && (record.Loss is null || record.GradientNorm is null);
    }
}
