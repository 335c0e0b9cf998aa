using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;

namespace Opt.Operator;

/// <summary>The operator's own figures. Labels come from closed lists; a job's name is never one (its own figures are rank 0's agent's).</summary>
internal sealed class OperatorMetrics : IDisposable
{
    private readonly Meter _meter = new("Opt.Operator");
    private readonly Counter<long> _actions;
    private readonly Counter<long> _launches;
    private readonly Counter<long> _quarantines;
    private readonly Counter<long> _releases;
    private readonly Histogram<double> _recoveries;
    private readonly ConcurrentDictionary<ObjectKey, OptTrainingJobStatus> _jobs = new();
    private readonly ConcurrentDictionary<ObjectKey, IReadOnlyDictionary<string, int>> _budgets = new();
    private volatile int _room = -1;

    public OperatorMetrics()
    {
        _actions = _meter.CreateCounter<long>("opt.operator.actions", null, "Actions executed, by kind.");
        _launches = _meter.CreateCounter<long>("opt.operator.launches", null, "Run plans created, by cause.");
        _quarantines = _meter.CreateCounter<long>("opt.operator.quarantines", null, "Nodes put aside, by reason.");
        _releases = _meter.CreateCounter<long>("opt.operator.releases", null, "Nodes given back because their quarantine was over.");
        _meter.CreateObservableGauge("opt.operator.jobs", () => Enum.GetValues<JobPhase>().Select(p => new Measurement<long>(_jobs.Values.Count(s => s.Phase == p), Tag("phase", p.ToString()))), null, "Jobs by phase.");
        _recoveries = _meter.CreateHistogram("opt.operator.recovery.duration", "s", "Time from the moment steps ceased to advance until they advanced again.", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [15, 30, 60, 120, 240, 430, 900, 1800, 3600] });
        _meter.CreateObservableGauge("opt.operator.nodes", () => new[] { Nodes("desired", s => s.Nodes.Desired), Nodes("ready", s => s.Nodes.Ready), Nodes("spare", s => s.Nodes.SparesReady), Nodes("quarantined", s => s.Nodes.Quarantined.Count) }, null, "Nodes of all present jobs, by state (desired, ready, spare, quarantined).");
        _meter.CreateObservableGauge("opt.operator.tokens_per_second", () => _jobs.Values.Where(s => s.Phase is JobPhase.Running).Sum(s => s.TokensPerSecond ?? 0), null, "Tokens a second of all running jobs.");
        _meter.CreateObservableGauge("opt.operator.checkpoint.oldest.timestamp", () => _jobs.Values.Where(s => s.Phase is JobPhase.Running).Select(s => s.LastCheckpoint?.CommittedAt ?? s.StartTime).OfType<DateTimeOffset>().Select(t => new Measurement<double>(t.ToUnixTimeSeconds())).OrderBy(m => m.Value).Take(1), "s", "When, in Unix time, the running job that is worst off committed its last checkpoint, or started if it has none.");
        _meter.CreateObservableGauge("opt.operator.checkpoint.size", () => _jobs.Values.Sum(s => s.LastCheckpoint?.Bytes ?? 0), "By", "Bytes of the newest checkpoints of all present jobs, together.");
        _meter.CreateObservableGauge("opt.operator.budget.remaining", () => Planning.BudgetReport.All.Where(_ => !_budgets.IsEmpty).Select(b => new Measurement<long>(_budgets.Values.Min(j => j.GetValueOrDefault(b)), Tag("budget", b))), null, "Uses left of a budget of the failure ladder, of the job that has the fewest, by budget.");
        _meter.CreateObservableGauge("opt.operator.quarantine.room", () => _room < 0 ? [] : new[] { new Measurement<long>(_room) }, null, "Nodes that may still be put aside before the breaker on quarantines opens.");
        _meter.CreateObservableGauge("opt.operator.goodput.time", () => Planning.Accounts.All.Select(a => new Measurement<double>(Seconds(a), Tag("account", a))), "s", "Time of all present jobs, by ledger account.");
        _meter.CreateObservableGauge("opt.operator.goodput.ratio", () => new[] { Ratio("1h"), Ratio("24h") }.OfType<Measurement<double>>(), null, "Share of productive time of all present jobs within the last hour and the last day.");
        _meter.CreateObservableGauge("opt.operator.lost.time", () => _jobs.Values.SelectMany(s => s.LostTime).GroupBy(l => l.Cause).Select(g => new Measurement<double>(g.Sum(l => l.Seconds), Tag("cause", g.Key))), "s", "Unproductive time of all present jobs, by cause.");
    }

    public void Acted(string kind) => _actions.Add(1, Tag("kind", kind));

    public void Launched(string cause) => _launches.Add(1, Tag("cause", cause));

    public void Quarantined(string reason) => _quarantines.Add(1, Tag("reason", reason));

    public void Released() => _releases.Add(1);

    public void Observed(ObjectKey job, OptTrainingJobStatus status)
    {
        if (_jobs.TryGetValue(job, out var before) && Recovery(before, status) is { } took) _recoveries.Record(took.TotalSeconds);
        _jobs[job] = status;
    }

    /// <param name="left">Uses left, by budget.</param>
    /// <param name="room">Nodes of the cluster that may still be put aside.</param>
    public void Bounded(ObjectKey job, IEnumerable<(string Budget, int Left)> left, int room) => (_budgets[job], _room) = (left.ToDictionary(b => b.Budget, b => b.Left, StringComparer.Ordinal), room);

    public void Forget(ObjectKey job)
    {
        _jobs.TryRemove(job, out _);
        _budgets.TryRemove(job, out _);
    }

    public void Dispose() => _meter.Dispose();

    /// <summary>How long the job did not advance, when it has just begun to again; null otherwise, and for the first start.</summary>
    internal static TimeSpan? Recovery(OptTrainingJobStatus before, OptTrainingJobStatus now)
    {
        var (ceased, resumed) = (Running(before), Running(now));
        return ceased is { Status: "False" } && resumed is { Status: "True" } && before.Step > 0 ? resumed.LastTransitionTime - ceased.LastTransitionTime : null;

        static Condition? Running(OptTrainingJobStatus status) => status.Conditions.FirstOrDefault(c => c.Type == Planning.ConditionTypes.Running);
    }

    private Measurement<long> Nodes(string state, Func<OptTrainingJobStatus, int> count) => new(_jobs.Values.Sum(count), Tag("state", state));

    private Measurement<double>? Ratio(string window)
    {
        var windows = _jobs.Values.SelectMany(s => s.GoodputWindows).Where(w => w.Window == window).ToArray();
        var seconds = windows.Sum(w => w.Seconds);
        return seconds <= 0 ? null : new Measurement<double>(windows.Sum(w => w.Percent / 100 * w.Seconds) / seconds, Tag("window", window));
    }

    private double Seconds(string account) => _jobs.Values.Sum(s => s.Goodput.FirstOrDefault(a => a.Account == account)?.Seconds ?? 0);

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
