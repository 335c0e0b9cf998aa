using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;

namespace Opt.Kubernetes;

/// <summary>
/// Measurements of the requests of all clients that share it. Labels are the API's verb (<c>get</c>, <c>list</c>, <c>watch</c>, <c>create</c>, <c>update</c>,
/// <c>patch</c>, <c>apply</c>, <c>delete</c>, <c>deletecollection</c>), the resource with its subresource (<c>pods/status</c>), and the HTTP code, or <c>none</c> when no answer came.
/// </summary>
public sealed class ClientMetrics
{
    /// <summary>For a client that nobody measures.</summary>
    internal static readonly ClientMetrics Unlistened = new(new Meter(ControllerMetrics.MeterName + ".Unlistened"));

    private readonly Histogram<double> _duration;
    private readonly Counter<long> _retries;
    private readonly Counter<long> _restarts;
    private long _inFlight;

    public ClientMetrics(IMeterFactory meters) : this((meters ?? throw new ArgumentNullException(nameof(meters))).Create(ControllerMetrics.MeterName))
    {
    }

    private ClientMetrics(Meter meter)
    {
        _duration = meter.CreateHistogram("opt.kubernetes.client.request.duration", "s", "Time of one attempt of a request, a watch's until its headers, by verb, resource and code.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.025, 0.1, 0.5, 2.5, 10] });
        _retries = meter.CreateCounter<long>("opt.kubernetes.client.retries", null, "Attempts after the first, by verb, resource and the code that caused them.");
        _restarts = meter.CreateCounter<long>("opt.kubernetes.client.watch.restarts", null, "Watches that ended and were opened again, by resource and reason: ended, interrupted, gone (all is read again), refused.");
        meter.CreateObservableGauge("opt.kubernetes.client.requests.in_flight", () => Interlocked.Read(ref _inFlight), null, "Attempts that wait for their answer.");
    }

    internal void Started() => Interlocked.Increment(ref _inFlight);

    internal void Ended(ApiRequest request, int? code, TimeSpan took)
    {
        Interlocked.Decrement(ref _inFlight);
        _duration.Record(took.TotalSeconds, Labels(request, code));
    }

    internal void Retried(ApiRequest request, int code) => _retries.Add(1, Labels(request, code));

    internal void WatchRestarted(string resource, WatchEnd reason) =>
        _restarts.Add(1, new TagList { { "resource", resource }, { "reason", reason.ToString().ToLowerInvariant() } });

    private static TagList Labels(ApiRequest request, int? code) =>
        new() { { "verb", request.Verb }, { "resource", request.Resource }, { "code", code is null or 0 ? "none" : code.Value.ToString(CultureInfo.InvariantCulture) } };
}

/// <summary>Why a watch is opened again.</summary>
internal enum WatchEnd
{
    /// <summary>The server ended it, as it does every few minutes.</summary>
    Ended,

    /// <summary>The connection broke, stalled or was refused.</summary>
    Interrupted,

    /// <summary>The version is too old: everything is read again.</summary>
    Gone,

    /// <summary>The server does not stream its state: it is read by pages.</summary>
    Refused,
}
