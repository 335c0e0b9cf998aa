using System.Diagnostics.Metrics;
using Opt.Operator.Hosting;
using Xunit;

namespace Opt.Operator.Tests.Hosting;

public sealed class PrometheusExporterTests
{
    [Fact]
    public void Counters_gauges_and_histograms_are_written_as_Prometheus_reads_them()
    {
        using var exporter = new PrometheusExporter("Opt.Test.Exporter");
        using var meter = new Meter("Opt.Test.Exporter");
        using var other = new Meter("Somebody.Else");
        other.CreateCounter<long>("not.ours").Add(1);
        meter.CreateCounter<long>("opt.untouched", null, "Nothing yet.");
        meter.CreateCounter<long>("opt.actions", null, "Done.").Add(2, new KeyValuePair<string, object?>("kind", "say \"hi\""));
        meter.CreateObservableGauge("opt.jobs", () => 3L, null, "Jobs.");
        var histogram = meter.CreateHistogram("opt.pass", "s", "Time.", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 1] });
        histogram.Record(0.25);
        histogram.Record(0.75);

        Assert.Equal("""
            # HELP opt_actions_total Done.
            # TYPE opt_actions_total counter
            opt_actions_total{kind="say \"hi\""} 2
            # HELP opt_jobs Jobs.
            # TYPE opt_jobs gauge
            opt_jobs 3
            # HELP opt_pass_seconds Time.
            # TYPE opt_pass_seconds histogram
            opt_pass_seconds_bucket{le="0.5"} 1
            opt_pass_seconds_bucket{le="1"} 2
            opt_pass_seconds_bucket{le="+Inf"} 2
            opt_pass_seconds_sum 1
            opt_pass_seconds_count 2
            # HELP opt_untouched_total Nothing yet.
            # TYPE opt_untouched_total counter
            opt_untouched_total 0

            """.ReplaceLineEndings("\n"), exporter.Write());
    }

    [Fact]
    public void Instruments_of_one_name_are_one_metric()
    {
        using var exporter = new PrometheusExporter("Opt.Test.Twice");
        using Meter first = new("Opt.Test.Twice.First"), second = new("Opt.Test.Twice.Second");
        first.CreateCounter<long>("restarts").Add(2);
        second.CreateCounter<long>("restarts").Add(3);
        Assert.Equal("# HELP restarts_total \n# TYPE restarts_total counter\nrestarts_total 5\n", exporter.Write());
    }
}
