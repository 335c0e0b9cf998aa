using System.Xml.Linq;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Reports;
using Opt.Trainer.Tests.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Reports;

public sealed class TrainingPlotTests
{
    [Fact]
    public void The_picture_has_a_panel_for_each_signal_that_moves_a_line_for_each_epoch_and_a_mark_for_each_intervention()
    {
        StepRecord[] records = [.. Enumerable.Range(1, 40).Select(step => At(step, 1)), .. Enumerable.Range(31, 30).Select(step => At(step, 2))];
        LogbookEntry[] logbook =
        [
            new() { Time = default, Epoch = 1, Step = 40, Actor = "policy not-finite", What = "roll back; learning rate x 0.9 <bold>", Why = "NaN" },
            new() { Time = default, Epoch = 2, Step = 30, Actor = "operator", What = "launched epoch 2", Why = "" },
        ];

        var svg = XDocument.Parse(TrainingPlot.Draw("a run", records, logbook)).Root!;

        var ns = svg.Name.Namespace;
        Assert.Equal(3 * 2, svg.Elements(ns + "polyline").Count());   // loss, learning rate and gradient norm move; loss scale and activation norm do not
        Assert.Single(svg.Elements(ns + "line"), l => (string?)l.Attribute("class") == "intervention");
        Assert.Contains(svg.Elements(ns + "text"), t => t.Value.Contains("policy not-finite: roll back; learning rate x 0.9 <bold>", StringComparison.Ordinal));
    }

    [Fact]
    public void Attempts_without_an_update_and_values_far_apart_are_shown_too()
    {
        StepRecord[] records = [.. Enumerable.Range(1, 40).Select(step => At(step, 1) with { LearningRate = step < 30 ? 3e-3 : 3, Loss = step < 35 ? 6 : null, Skipped = step == 20 })];

        var svg = XDocument.Parse(TrainingPlot.Draw("a run", records, [])).Root!;

        var ns = svg.Name.Namespace;
        Assert.Equal(7, Assert.Single(svg.Elements(ns + "path"), p => (string?)p.Attribute("class") == "failed").Attribute("d")!.Value.Count(c => c == 'M'));   // step 20, and 35 to 40
        Assert.Contains("7 attempts skipped or not finite", svg.Elements(ns + "text").Select(t => t.Value).Aggregate(string.Concat), StringComparison.Ordinal);
        // The two rates lie three decades apart on a logarithmic axis; both ends and what is between are labelled with round values.
        Assert.Equal(["0.01", "0.1", "1"], svg.Elements(ns + "text").Select(t => t.Value).Intersect(["0.01", "0.1", "1"]));
    }

    [Theory]
    [InlineData(5.9, 800, true, "10 100")]
    [InlineData(5.9, 8.2, true, "6 6.5 7 7.5 8")]
    [InlineData(1, 60, false, "10 20 30 40 50 60")]
    [InlineData(0, 0.003, false, "0 0.001 0.002 0.003")]
    [InlineData(4, 16777216, true, "100 10000 1e6")]
    [InlineData(3, 3, false, "2.6 2.8 3 3.2 3.4")]
    public void Axes_are_labelled_with_round_values(double low, double high, bool logarithmic, string labels)
    {
        var axis = PlotAxis.Over([high, low, double.NaN, null], logarithmic)!;
        Assert.Equal(labels, string.Join(' ', axis.Ticks(labels.Split(' ').Length > 5 ? 10 : 5).Select(PlotAxis.Label)));
        Assert.Null(PlotAxis.Over([double.NaN, null], logarithmic));
    }

    private static StepRecord At(int step, long epoch) => new()
    {
        Epoch = epoch, Revision = 0, Attempt = step, Step = step, Samples = step, Tokens = step, Loss = step == 40 && epoch == 1 ? null : 10.0 / step, LearningRate = step * 1e-4, LossScale = 1,
        GradientNorm = 1 + step % 3, ActivationNorm = 2, Skipped = false, Time = default, Seconds = 1, TokensPerSecond = 1, HyperParameters = TestRun.HyperParameters,
    };
}
