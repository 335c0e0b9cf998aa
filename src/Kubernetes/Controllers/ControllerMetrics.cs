using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Opt.Kubernetes;

/// <summary>How a reconcile attempt ended.</summary>
public enum Outcome
{
    Success,
    Conflict,
    Retry,
    Terminal,
}

/// <summary>Measurements of controllers. Labels come from constants and enums only.</summary>
public sealed class ControllerMetrics
{
    public const string MeterName = "Opt.Kubernetes";

    /// <summary>For a controller that nobody measures.</summary>
    internal static readonly ControllerMetrics Unlistened = new(new Meter(MeterName + ".Unlistened"));

    private readonly Histogram<double> _duration;
    private readonly ConcurrentDictionary<string, Func<int>> _depths = new();

    public ControllerMetrics(IMeterFactory meters) : this((meters ?? throw new ArgumentNullException(nameof(meters))).Create(MeterName))
    {
    }

    private ControllerMetrics(Meter meter)
    {
        meter.CreateObservableGauge("opt.kubernetes.workqueue.depth", () => _depths.Select(d => new Measurement<int>(d.Value(), new KeyValuePair<string, object?>("controller", d.Key))), null, "Objects that are due and wait for a worker, by controller.");
        _duration = meter.CreateHistogram("opt.kubernetes.reconcile.duration", "s", "Time of one reconcile attempt, by controller and outcome.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30] });
    }

    /// <summary>Measures the queue of a controller from now on.</summary>
    internal void Watch(string controller, Func<int> depth)
    {
        if (this != Unlistened) _depths[controller] = depth;
    }

    internal void Attempted(string controller, Outcome outcome, TimeSpan took) =>
        _duration.Record(took.TotalSeconds, new TagList { { "controller", controller }, { "outcome", outcome.ToString() } });
}
