namespace Opt.Api.V1Alpha1;

/// <summary>When a policy fires: a bound on exactly one signal, or all or any of several bounds.</summary>
public sealed record DivergenceTriggerSpec : SignalBounds
{
    /// <summary>Every one of these holds.</summary>
    public EquatableList<SignalTriggerSpec> All { get; set; } = [];

    /// <summary>At least one of these holds.</summary>
    public EquatableList<SignalTriggerSpec> Any { get; set; } = [];

    /// <summary>Never before this many successful updates.</summary>
    public long AfterStep { get; set; }
}

/// <summary>A bound on exactly one signal.</summary>
public sealed record SignalTriggerSpec : SignalBounds;

/// <summary>The signals a trigger can bound, by name.</summary>
public abstract record SignalBounds
{
    /// <summary>Mean loss in nats per token.</summary>
    public SignalBoundSpec? Loss { get; init; }

    /// <summary>Validation loss, mean over corpora; counted in validations, not attempts.</summary>
    public SignalBoundSpec? ValidationLoss { get; init; }

    /// <summary>Loss scale (fp16 only).</summary>
    public SignalBoundSpec? LossScale { get; init; }

    /// <summary>Global gradient norm before clipping.</summary>
    public SignalBoundSpec? GradientNorm { get; init; }

    /// <summary>Mean per-token norm of the last block's output.</summary>
    public SignalBoundSpec? ActivationNorm { get; init; }

    /// <summary>Share of skipped attempts within the window, 0 to 1.</summary>
    public SignalBoundSpec? SkippedRate { get; init; }
}

/// <summary>A bound on one signal; exactly one of above, below, spike, drift, notFinite, falls, rises and plateau is set.</summary>
public sealed record SignalBoundSpec
{
    /// <summary>The value is above this, or not finite.</summary>
    public double? Above { get; init; }

    /// <summary>The value is below this.</summary>
    public double? Below { get; init; }

    /// <summary>Robust standard deviations (1.4826 x median absolute deviation) above the median of the window before.</summary>
    public double? Spike { get; init; }

    /// <summary>Ratio of the median of the newest quarter of the window to that of its oldest quarter.</summary>
    public double? Drift { get; init; }

    /// <summary>The value is NaN or infinite.</summary>
    public bool? NotFinite { get; init; }

    /// <summary>It fell at least this many times within the window (loss scale: halvings).</summary>
    public int? Falls { get; init; }

    /// <summary>The last so many values are all above the lowest one before them within the window.</summary>
    public int? Rises { get; init; }

    /// <summary>The median of the window's newer half is not lower than that of its older half by at least this share.</summary>
    public double? Plateau { get; init; }

    /// <summary>Values in the trailing window.</summary>
    public int Window { get; set; } = 100;

    /// <summary>Attempts in a row for which it must hold.</summary>
    public int ForSteps { get; set; } = 1;

    /// <summary>Seconds of training for which it must hold, besides forSteps.</summary>
    public double? ForSeconds { get; init; }
}
