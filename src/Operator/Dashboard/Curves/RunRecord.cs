using System.Globalization;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Operator.Dashboard.Curves;

/// <summary>What has been read of one job's run: its curves, its checkpoints, its logbook. One follower writes, any page reads.</summary>
internal sealed class RunRecord
{
    /// <summary>The newest are kept: a run that needs more interventions than this is not read line by line.</summary>
    private const int MostEntries = 5000;
    private readonly Lock _gate = new();
    private StepColumns _columns = new();
    private EquatableList<LogbookEntry> _logbook = [];
    private int _replaced;

    public StepColumns Columns
    {
        get { lock (_gate) return _columns; }
    }

    /// <summary>Whether the curves begin with the first epoch.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>The store's checkpoints as rank 0's agent last reported them.</summary>
    public EquatableList<CheckpointSummary> Checkpoints { get; set; } = [];

    /// <summary>Oldest first.</summary>
    public EquatableList<LogbookEntry> Logbook
    {
        get { lock (_gate) return _logbook; }
    }

    /// <summary>Raised with every entry that is new or has an outcome now.</summary>
    public int LogbookVersion { get; private set; }

    /// <summary>Another value means that steps were added before those known, or taken back: whoever shows the curves reads them anew.</summary>
    public string CurvesVersion
    {
        get { lock (_gate) return string.Create(CultureInfo.InvariantCulture, $"{_replaced}.{_columns.Rewinds}"); }
    }

    /// <summary>Shows curves that are still being read, if there are none yet.</summary>
    public void Begin(StepColumns growing)
    {
        lock (_gate) if (_columns.Count == 0) _columns = growing;
    }

    /// <summary>Takes curves that begin with the first epoch.</summary>
    public void Complete(StepColumns whole)
    {
        lock (_gate)
        {
            _columns = whole;
            _replaced++;
            IsWhole = true;
        }
    }

    /// <summary>Adds what is new; of the same event told twice, the telling with an outcome stays.</summary>
    public void Note(IEnumerable<LogbookEntry> entries)
    {
        lock (_gate)
        {
            var known = _logbook.ToDictionary(e => e.Identity(), StringComparer.Ordinal);
            var changed = false;
            foreach (var entry in entries)
            {
                if (known.TryGetValue(entry.Identity(), out var old) && (old.Outcome is not null || entry.Outcome is null)) continue;
                known[entry.Identity()] = entry;
                changed = true;
            }

            if (!changed) return;
            _logbook = [.. known.Values.OrderBy(e => e.Time).TakeLast(MostEntries)];
            LogbookVersion++;
        }
    }
}
