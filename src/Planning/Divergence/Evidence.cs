using System.Globalization;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>The window of signals behind a decision, as one line for the logbook.</summary>
public static class Evidence
{
    private const int Shown = 6;

    public static string Of(DivergencePolicySpec policy, IReadOnlyList<StepRecord> history, int onset, int last)
    {
        var signals = Signals.All(policy.When).DistinctBy(s => s.Signal).Select(s => $"{Bound(s.Signal, s.Bound)}; {Values(s.Signal, history, last)}");
        var record = history[last];
        return string.Create(CultureInfo.InvariantCulture, $"{string.Join("; ", signals)}; onset at attempt {history[onset].Attempt}, fired at attempt {record.Attempt} (step {record.Step})");
    }

    private static string Values(Signal signal, IReadOnlyList<StepRecord> history, int last)
    {
        var values = new List<string>();
        for (var at = last; at >= 0 && values.Count < Shown && last - at < 5000; at--)
        {
            if (Signals.Of(signal, history[at]) is { } value) values.Add(value.ToString("G4", CultureInfo.InvariantCulture));
        }

        values.Reverse();
        return $"newest {string.Join(" ", values)}";
    }

    private static string Bound(Signal signal, SignalBoundSpec b)
    {
        var bound = b.Above is { } above ? $"above {above:G4}" : b.Below is { } below ? $"below {below:G4}" : b.Spike is { } spike ? $"{spike:G4} sigma above the median of {b.Window}"
            : b.Drift is { } drift ? $"drifted by {drift:G4} within {b.Window}" : b.NotFinite is not null ? "not finite" : b.Falls is { } falls ? $"fell {falls} times within {b.Window}"
            : b.Rises is { } rises ? $"rose {rises} times" : $"no better by {b.Plateau:G4} within {b.Window}";
        return FormattableString.Invariant($"{Name(signal)} {bound}{(b.ForSteps > 1 ? $" for {b.ForSteps} steps" : "")}");
    }

    private static string Name(Signal signal) => signal switch
    {
        Signal.Loss => "loss",
        Signal.ValidationLoss => "validation loss",
        Signal.LossScale => "loss scale",
        Signal.GradientNorm => "gradient norm",
        Signal.ActivationNorm => "activation norm",
        _ => "skipped rate",
    };
}
