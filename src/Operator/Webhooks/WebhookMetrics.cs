using System.Diagnostics.Metrics;

namespace Opt.Operator.Webhooks;

/// <summary>Figures of the admission webhooks.</summary>
internal sealed class WebhookMetrics : IDisposable
{
    private readonly Meter _meter = new("Opt.Operator.Webhooks");
    private readonly Counter<long> _reviews;
    private double _expires;

    public WebhookMetrics()
    {
        _reviews = _meter.CreateCounter<long>("opt.operator.webhook.reviews", null, "Admission reviews answered, by webhook and outcome (allowed, refused, malformed).");
        _meter.CreateObservableGauge("opt.operator.webhook.certificate.expiry.timestamp", () => Volatile.Read(ref _expires) is > 0 and var at ? [new Measurement<double>(at)] : Array.Empty<Measurement<double>>(), "s", "When the served certificate ends, in Unix time.");
    }

    public void Answered(string webhook, string outcome) => _reviews.Add(1, new("webhook", webhook), new("outcome", outcome));

    public void Serves(DateTimeOffset until) => Volatile.Write(ref _expires, until.ToUnixTimeSeconds());

    public void Dispose() => _meter.Dispose();
}
