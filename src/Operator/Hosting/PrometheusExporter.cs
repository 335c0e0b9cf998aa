using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Opt.Operator.Hosting;

/// <summary>Collects the instruments of this program's meters and writes them as Prometheus text (version 0.0.4).</summary>
internal sealed class PrometheusExporter : IDisposable
{
    private static readonly double[] DefaultBuckets = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60];
    private readonly MeterListener _listener = new();
    // By name: instruments of one name are one metric, as the text format allows each only once.
    private readonly ConcurrentDictionary<string, (Instrument Instrument, ConcurrentDictionary<string, Series> Series)> _metrics = new(StringComparer.Ordinal);

    /// <param name="prefix">Meters whose name starts with it are exported.</param>
    public PrometheusExporter(string prefix)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (!instrument.Meter.Name.StartsWith(prefix, StringComparison.Ordinal) || instrument.Meter.Name.EndsWith(".Unlistened", StringComparison.Ordinal)) return;
            _metrics.TryAdd(instrument.Name, (instrument, new(StringComparer.Ordinal)));
            listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((i, value, tags, _) => Record(i, value, tags));
        _listener.SetMeasurementEventCallback<int>((i, value, tags, _) => Record(i, value, tags));
        _listener.SetMeasurementEventCallback<double>((i, value, tags, _) => Record(i, value, tags));
        _listener.Start();
    }

    /// <summary>The state of all instruments now.</summary>
    public string Write()
    {
        _listener.RecordObservableInstruments();
        var text = new StringBuilder();
        foreach (var (_, (instrument, all)) in _metrics.OrderBy(m => m.Key, StringComparer.Ordinal)) Write(text, instrument, all);
        return text.ToString();
    }

    public void Dispose() => _listener.Dispose();

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = Labels(tags);
        var kind = Kind(instrument);
        var series = _metrics[instrument.Name].Series.GetOrAdd(labels, _ => new(kind is "histogram" ? Buckets(instrument) : null));
        series.Record(value, kind);
    }

    private static void Write(StringBuilder text, Instrument instrument, ConcurrentDictionary<string, Series> all)
    {
        var kind = Kind(instrument);
        var name = instrument.Name.Replace('.', '_') + Unit(instrument.Unit) + (kind is "counter" ? "_total" : "");
        text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {instrument.Description}\n# TYPE {name} {kind}\n");
        // A counter without labels starts at zero, so that an alert can fire on the first increment.
        if (kind is "counter" && all.IsEmpty) text.Append(CultureInfo.InvariantCulture, $"{name} 0\n");
        foreach (var (labels, series) in all.OrderBy(s => s.Key, StringComparer.Ordinal)) series.Write(text, name, labels);
    }

    private static string Unit(string? unit) => unit switch { "s" => "_seconds", "By" => "_bytes", _ => "" };

    private static string Kind(Instrument instrument) => instrument switch
    {
        Histogram<double> or Histogram<long> or Histogram<int> => "histogram",
        Counter<long> or Counter<int> or Counter<double> or ObservableCounter<long> or ObservableCounter<int> or ObservableCounter<double> => "counter",
        _ => "gauge",
    };

    private static IReadOnlyList<double> Buckets(Instrument instrument) => instrument is Histogram<double> { Advice.HistogramBucketBoundaries: { } given } ? given : DefaultBuckets;

    private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var text = new StringBuilder();
        foreach (var (name, value) in tags)
        {
            if (text.Length > 0) text.Append(',');
            var escaped = $"{value}".Replace("\\", @"\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
            text.Append(CultureInfo.InvariantCulture, $"{name.Replace('.', '_')}=\"{escaped}\"");
        }

        return text.ToString();
    }

    private sealed class Series(IReadOnlyList<double>? bounds)
    {
        private readonly Lock _gate = new();
        private readonly long[] _counts = new long[bounds?.Count ?? 0];
        private double _sum;
        private long _count;

        public void Record(double value, string kind)
        {
            lock (_gate)
            {
                _count++;
                _sum = kind is "gauge" ? value : _sum + value;
                for (var i = 0; i < _counts.Length; i++)
                {
                    if (value <= bounds![i]) _counts[i]++;
                }
            }
        }

        public void Write(StringBuilder text, string name, string labels)
        {
            lock (_gate)
            {
                if (bounds is null)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{name}{Braces(labels)} {_sum}\n");
                    return;
                }

                var comma = labels.Length == 0 ? "" : ",";
                for (var i = 0; i < _counts.Length; i++) text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{labels}{comma}le=\"{bounds[i]}\"}} {_counts[i]}\n");
                text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {_count}\n{name}_sum{Braces(labels)} {_sum}\n{name}_count{Braces(labels)} {_count}\n");
            }
        }

        private static string Braces(string labels) => labels.Length == 0 ? "" : $"{{{labels}}}";
    }
}
