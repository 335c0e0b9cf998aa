namespace Opt.Api.V1Alpha1;

/// <summary>
/// What to do when training goes wrong numerically: a trigger over step records, the actions to take together when it fires, and the
/// further rungs to climb when it fires again within the window.
/// </summary>
public sealed record DivergencePolicySpec
{
    /// <summary>Unique within the job; the logbook's actor is "policy NAME".</summary>
    public required string Name { get; init; }

    /// <summary>When the policy fires.</summary>
    public required TriggerSpec When { get; init; }

    /// <summary>Actions of the first rung, taken together in one plan.</summary>
    public required EquatableList<InterventionSpec> Then { get; init; }

    /// <summary>Further rungs, each taken instead of the one before when the policy fires again within the window.</summary>
    public EquatableList<RungSpec> Escalation { get; set; } = [];

    /// <summary>Steps within which a further firing climbs a rung. Default: 2000.</summary>
    public int WindowSteps { get; set; } = 2000;

    /// <summary>Attempts after a firing during which the policy stays silent.</summary>
    public CooldownSpec Cooldown { get; set; } = new();

    /// <summary>Firings in the life of the job; after the last one a further firing pauses the job and asks. Default: 4.</summary>
    public int Limit { get; set; } = 4;

    /// <summary>Enforce: act. Shadow: record what would have been done.</summary>
    public PolicyMode Mode { get; set; } = PolicyMode.Enforce;
}

/// <summary>One rung of a ladder.</summary>
public sealed record RungSpec
{
    public required EquatableList<InterventionSpec> Then { get; init; }
}

/// <summary>How long a policy stays silent after it fired.</summary>
public sealed record CooldownSpec
{
    /// <summary>Attempts, counted over rollbacks. Default: 50.</summary>
    public int Attempts { get; set; } = 50;
}

/// <summary>Whether a policy acts.</summary>
public enum PolicyMode { Enforce, Shadow }

/// <summary>One condition over the step records; exactly one signal is set, or all/any with nested triggers.</summary>
public sealed record TriggerSpec
{
    /// <summary>Mean loss in nats per token.</summary>
    public ThresholdSpec? Loss { get; init; }

    /// <summary>Validation loss, mean over corpora.</summary>
    public ThresholdSpec? ValidationLoss { get; init; }

    /// <summary>Loss scale (fp16 only).</summary>
    public ThresholdSpec? LossScale { get; init; }

    /// <summary>Global gradient norm before clipping.</summary>
    public ThresholdSpec? GradientNorm { get; init; }

    /// <summary>Mean per-token norm of the last block's output.</summary>
    public ThresholdSpec? ActivationNorm { get; init; }

    /// <summary>Share of skipped attempts, 0 to 1, over the threshold's window.</summary>
    public ThresholdSpec? SkippedRate { get; init; }

    /// <summary>Every nested trigger holds.</summary>
    public EquatableList<TriggerSpec>? All { get; init; }

    /// <summary>At least one nested trigger holds.</summary>
    public EquatableList<TriggerSpec>? Any { get; init; }

    /// <summary>Attempts in a row for which it must hold. Default: 1.</summary>
    public int ForSteps { get; set; } = 1;

    /// <summary>Never before this many successful updates. Default: 0.</summary>
    public long AfterStep { get; set; }
}

/// <summary>A bound on one signal; exactly one of above, below, spike, drift and notFinite is set.</summary>
public sealed record ThresholdSpec
{
    public double? Above { get; init; }
    public double? Below { get; init; }

    /// <summary>Robust standard deviations (1.4826 MAD) above the median of the trailing window.</summary>
    public double? Spike { get; init; }

    /// <summary>Ratio of the median of the newest quarter of the window to that of its oldest quarter.</summary>
    public double? Drift { get; init; }

    /// <summary>The value is NaN or infinite.</summary>
    public bool? NotFinite { get; init; }

    /// <summary>Attempts in the trailing window. Default: 100.</summary>
    public int Window { get; set; } = 100;
}

/// <summary>One action; exactly one field is set.</summary>
public sealed record InterventionSpec
{
    /// <summary>Go back to a checkpoint.</summary>
    public RollbackSpec? Rollback { get; init; }

    /// <summary>Change the peak (and the end, in proportion) of the learning rate.</summary>
    public ChangeSpec? LearningRate { get; init; }

    /// <summary>Change the gradient clip.</summary>
    public ChangeSpec? GradientClip { get; init; }

    /// <summary>Reset the loss scale to this value.</summary>
    public double? LossScale { get; init; }

    /// <summary>Change the optimizer.</summary>
    public OptimizerSpec? Optimizer { get; init; }

    /// <summary>Never read again the samples between the checkpoint rolled back to and the attempt that fired.</summary>
    public bool? SkipData { get; init; }

    /// <summary>Hold the job for a human.</summary>
    public bool? Pause { get; init; }

    /// <summary>Say this in an event and in the logbook.</summary>
    public string? Notify { get; init; }
}

/// <summary>Where to roll back to; exactly one field is set.</summary>
public sealed record RollbackSpec
{
    /// <summary>lastHealthy: the newest complete checkpoint that is healthy and older than the onset.</summary>
    public RollbackTarget? To { get; init; }

    /// <summary>This many complete, not condemned checkpoints back.</summary>
    public int? Checkpoints { get; init; }

    /// <summary>The newest complete, not condemned checkpoint at or before this step.</summary>
    public long? Step { get; init; }
}

/// <summary>Named rollback targets.</summary>
public enum RollbackTarget { LastHealthy }

/// <summary>A new value: absolute, or a factor of the one in force; never below the floor.</summary>
public sealed record ChangeSpec
{
    public double? Set { get; init; }
    public double? Multiply { get; init; }

    /// <summary>The value never falls below this. Default: 0.</summary>
    public double Floor { get; set; }
}
