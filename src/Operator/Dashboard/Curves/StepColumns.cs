using Opt.Api.Protocol;

namespace Opt.Operator.Dashboard.Curves;

/// <summary>
/// The step records of one job's lineage as columns: 56 bytes a step, so that 143,000 steps take 8 MB. A new epoch takes back the steps it runs
/// again. Thread-safe.
/// </summary>
internal sealed class StepColumns
{
    /// <summary>Signals in the order of their columns; the names are the step record's.</summary>
    public static readonly IReadOnlyList<string> Signals = ["loss", "learningRate", "lossScale", "gradientNorm", "activationNorm", "tokensPerSecond"];

    /// <summary>Beyond it every second of the older half is given up: about 17 MB a job.</summary>
    private const int Most = 300_000;
    private readonly Lock _gate = new();
    private readonly List<long> _steps = [];
    private readonly List<double>[] _values = [.. Signals.Select(_ => new List<double>())];
    private long _epoch, _attempt;

    /// <summary>How often a new epoch took back steps that were known.</summary>
    public int Rewinds { get; private set; }

    /// <summary>The newest step; 0 when there is none.</summary>
    public long Newest
    {
        get { lock (_gate) return _steps.Count == 0 ? 0 : _steps[^1]; }
    }

    public int Count
    {
        get { lock (_gate) return _steps.Count; }
    }

    public void Add(StepRecord record)
    {
        lock (_gate)
        {
            if ((record.Epoch, record.Attempt).CompareTo((_epoch, _attempt)) <= 0) return;
            if (record.Epoch > _epoch) TakeBack(record.Step);
            (_epoch, _attempt) = (record.Epoch, record.Attempt);
            if (record.Skipped && _steps.Count > 0 && _steps[^1] >= record.Step)
            {
                // A skipped attempt does not advance; what it changed, the loss scale, shows on the step it did not leave.
                _values[2][^1] = record.LossScale;
                return;
            }

            Append(record);
            if (_steps.Count > Most) Thin();
        }
    }

    /// <summary>
    /// About <paramref name="points"/> of the steps from <paramref name="from"/> to <paramref name="to"/>: of each stretch, where any signal is
    /// smallest and largest. So every spike of every signal is among them, at its own step.
    /// </summary>
    public (long[] Steps, double[][] Values) Thinned(int points, long from, long to)
    {
        lock (_gate)
        {
            var (first, last) = (Position(from), Position(to + 1));
            var chosen = Extremes.Of(_values, first, last, points);
            return ([.. chosen.Select(i => _steps[i])], [.. _values.Select(column => chosen.Select(i => column[i]).ToArray())]);
        }
    }

    /// <summary>What came after <paramref name="step"/>, at most <paramref name="most"/> of the newest.</summary>
    public (long[] Steps, double[][] Values) After(long step, int most)
    {
        lock (_gate)
        {
            var first = Math.Max(Position(step + 1), _steps.Count - most);
            return ([.. _steps.Skip(first)], [.. _values.Select(column => column.Skip(first).ToArray())]);
        }
    }

    private void Append(StepRecord record)
    {
        _steps.Add(record.Step);
        double?[] values = [record.Loss, record.LearningRate, record.LossScale, record.GradientNorm, record.ActivationNorm, record.TokensPerSecond];
        for (var i = 0; i < values.Length; i++) _values[i].Add(values[i] ?? double.NaN);
    }

    private void TakeBack(long step)
    {
        var kept = Position(step);
        if (kept < _steps.Count) Rewinds++;
        _steps.RemoveRange(kept, _steps.Count - kept);
        foreach (var column in _values) column.RemoveRange(kept, column.Count - kept);
    }

    private void Thin()
    {
        var half = Most / 2;
        Keep(_steps);
        foreach (var column in _values) Keep(column);

        void Keep<T>(List<T> column)
        {
            T[] kept = [.. column.Where((_, i) => i >= half || i % 2 == 0)];
            column.Clear();
            column.AddRange(kept);
        }
    }

    /// <summary>Index of the first step at or above <paramref name="step"/>.</summary>
    private int Position(long step) => _steps.BinarySearch(step) is var at && at < 0 ? ~at : at;
}
