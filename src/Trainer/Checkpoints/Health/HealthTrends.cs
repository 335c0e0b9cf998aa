using System.Globalization;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// How loss and norms moved over the newest applied steps, as of one of them. Part of every commit, so that the run that goes on from a checkpoint is
/// compared with what was usual before it. Pure.
/// </summary>
public sealed record HealthTrends
{
    /// <summary>Applied steps that are looked at: at most, newest of them that are judged, and the fewest before those that say what is usual.</summary>
    public const int Window = 200, Newest = 9, LeastValues = 20;

    /// <summary>The activation norm moves about a tenth as much as the gradient norm, as in the stretch that ended OPT-175B's run 12.43 (the sample policy norms-drift).</summary>
    private const double ActivationShare = 0.1;

    /// <summary>A loss whose newest quarter is below this share of its oldest quarter falls: norms that grow meanwhile are those of a model that learns.</summary>
    private const double Falling = 0.99;

    /// <summary>Steps that <see cref="SignalTrend.Usual"/> was taken from, those of the run before included.</summary>
    public int Steps { get; init; }

    public SignalTrend Loss { get; init; }
    public SignalTrend GradientNorm { get; init; }
    public SignalTrend ActivationNorm { get; init; }

    /// <param name="window">The newest applied steps of this run, oldest first; at most <see cref="Window"/>.</param>
    /// <param name="before">As of the checkpoint that the run went on from: says what is usual until the run has half a window of its own.</param>
    public static HealthTrends Of(IReadOnlyList<StepRecord> window, HealthTrends? before)
    {
        // A run that went wrong at once must not soon be measured by itself.
        var enough = window.Count - Newest >= (before is { Steps: >= LeastValues } ? Window / 2 : LeastValues);
        return new()
        {
            Steps = enough ? window.Count - Newest : before?.Steps ?? 0,
            Loss = Trend(window.Select(r => r.Loss), enough, before?.Loss),
            GradientNorm = Trend(window.Select(r => r.GradientNorm), enough, before?.GradientNorm),
            ActivationNorm = Trend(window.Select(r => r.ActivationNorm), enough, before?.ActivationNorm),
        };
    }

    /// <summary>Why a step with these trends behind it is not a good one; null when it is.</summary>
    public string? Trouble(HealthSpec spec) => Raised(spec.LossSpike) ?? Drifting(spec.NormDrift);

    private string? Raised(double limit)
    {
        if (limit <= 0 || Steps < LeastValues || Loss.Now == 0) return null;
        var above = new RobustStatistics(Loss.Usual, Loss.Deviation, Steps).Above(Loss.Now);
        return above > limit ? string.Create(CultureInfo.InvariantCulture, $"the loss stands at {Loss.Now:0.###}, {above:0.#} deviations above {Loss.Usual:0.###}, its median over {Steps} steps before") : null;
    }

    private string? Drifting(double limit)
    {
        if (limit <= 0 || Loss.Growth < Falling || GradientNorm.Growth <= limit || ActivationNorm.Growth <= 1 + (limit - 1) * ActivationShare) return null;
        return string.Create(CultureInfo.InvariantCulture, $"the gradient norm grew {GradientNorm.Growth:0.##}-fold and the activation norm {ActivationNorm.Growth:0.###}-fold within {Steps + Newest} steps, and the loss did not fall");
    }

    private static SignalTrend Trend(IEnumerable<double?> signal, bool enough, SignalTrend? before)
    {
        var values = signal.OfType<double>().Where(double.IsFinite).ToArray();
        var usual = RobustStatistics.Of(values.SkipLast(Newest));
        var now = values.Length < Newest ? 0 : RobustStatistics.Of(values.TakeLast(Newest)).Median;
        return enough || before is not { } last ? new(usual.Median, usual.Sigma, now, Growth(values)) : new(last.Usual, last.Deviation, now, 0);
    }

    /// <summary>0 for a window that is too short to say.</summary>
    private static double Growth(double[] values)
    {
        var part = values.Length / 4;
        if (part < LeastValues) return 0;
        var oldest = RobustStatistics.Of(values.Take(part)).Median;
        return oldest > 0 ? RobustStatistics.Of(values.TakeLast(part)).Median / oldest : 0;
    }
}
