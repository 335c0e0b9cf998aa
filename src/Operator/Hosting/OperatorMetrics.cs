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
    private readonly ConcurrentDictionary<ObjectKey, OptTrainingJobStatus> _jobs = new();

    public OperatorMetrics()
    {
        _actions = _meter.CreateCounter<long>("opt.operator.actions", null, "Actions executed, by kind.");
        _launches = _meter.CreateCounter<long>("opt.operator.launches", null, "Run plans created, by cause.");
        _quarantines = _meter.CreateCounter<long>("opt.operator.quarantines", null, "Nodes put aside, by reason.");
        _meter.CreateObservableGauge("opt.operator.jobs", () => Enum.GetValues<JobPhase>().Select(p => new Measurement<long>(_jobs.Values.Count(s => s.Phase == p), Tag("phase", p.ToString()))), null, "Jobs by phase.");
        _meter.CreateObservableGauge("opt.operator.goodput.time", () => Planning.Accounts.All.Select(a => new Measurement<double>(Seconds(a), Tag("account", a))), "s", "Time of all present jobs, by ledger account.");
    }

    public void Acted(string kind) => _actions.Add(1, Tag("kind", kind));

    public void Launched(string cause) => _launches.Add(1, Tag("cause", cause));

    public void Quarantined(string reason) => _quarantines.Add(1, Tag("reason", reason));

    public void Observed(ObjectKey job, OptTrainingJobStatus status) => _jobs[job] = status;

    public void Forget(ObjectKey job) => _jobs.TryRemove(job, out _);

    public void Dispose() => _meter.Dispose();

    private double Seconds(string account) => _jobs.Values.Sum(s => s.Goodput.FirstOrDefault(a => a.Account == account)?.Seconds ?? 0);

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
