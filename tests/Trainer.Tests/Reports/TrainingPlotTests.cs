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

    private static StepRecord At(int step, long epoch) => new()
    {
        Epoch = epoch, Revision = 0, Attempt = step, Step = step, Samples = step, Tokens = step, Loss = step == 40 && epoch == 1 ? null : 10.0 / step, LearningRate = step * 1e-4, LossScale = 1,
        GradientNorm = 1 + step % 3, ActivationNorm = 2, Skipped = false, Time = default, Seconds = 1, TokensPerSecond = 1, HyperParameters = TestRun.HyperParameters,
    };
}
