namespace Opt.Api.V1Alpha1;

/// <summary>One action; exactly one field is set.</summary>
public sealed record InterventionSpec
{
    /// <summary>Go back to a checkpoint.</summary>
    public RollbackSpec? Rollback { get; init; }

    /// <summary>Change the peak of the learning rate, and its end in proportion.</summary>
    public ValueChangeSpec? LearningRate { get; init; }

    /// <summary>Change the gradient clip.</summary>
    public ValueChangeSpec? GradientClip { get; init; }

    /// <summary>Set the loss scale to this value once (fp16 only).</summary>
    public double? LossScale { get; init; }

    /// <summary>Change the optimizer or its constants.</summary>
    public OptimizerSwitchSpec? Optimizer { get; init; }

    /// <summary>Change any other live hyper-parameter.</summary>
    public FieldChangeSpec? Change { get; init; }

    /// <summary>Never read again the samples that led to the trouble. Needs a rollback beside it.</summary>
    public SkipDataSpec? SkipData { get; init; }

    /// <summary>Read the samples that follow the checkpoint in another order. Needs a rollback beside it.</summary>
    public ReshuffleDataSpec? ReshuffleData { get; init; }

    /// <summary>True: hold the job for a human, pods and machines kept.</summary>
    public bool? Pause { get; init; }

    /// <summary>Say this in an event and in the logbook.</summary>
    public string? Notify { get; init; }
}

/// <summary>Where to roll back to; exactly one of to, checkpoints and step is set.</summary>
public sealed record RollbackSpec
{
    /// <summary>lastHealthy: the newest checkpoint that is healthy and older than the onset.</summary>
    public RollbackTarget? To { get; init; }

    /// <summary>This many checkpoints back, of those that are not condemned.</summary>
    public int? Checkpoints { get; init; }

    /// <summary>The newest checkpoint at or before this step that is not condemned.</summary>
    public long? Step { get; init; }

    /// <summary>When there is no such checkpoint: pause, or start again from initialWeights.</summary>
    public MissingTarget Otherwise { get; set; } = MissingTarget.Pause;
}

/// <summary>Named rollback targets.</summary>
public enum RollbackTarget { LastHealthy }

/// <summary>What to do when there is no checkpoint to roll back to.</summary>
public enum MissingTarget { Pause, InitialWeights }

/// <summary>A new value: absolute, or a factor of the one in force; never below the floor. Exactly one of set and multiply is given.</summary>
public sealed record ValueChangeSpec
{
    /// <summary>The new value.</summary>
    public double? Set { get; init; }

    /// <summary>Factor of the value in force.</summary>
    public double? Multiply { get; init; }

    /// <summary>The value never falls below this; a value that is lower already stays.</summary>
    public double Floor { get; set; }
}

/// <summary>A new value of a named hyper-parameter.</summary>
public sealed record FieldChangeSpec
{
    /// <summary>The hyper-parameter.</summary>
    public required HyperParameterField Field { get; init; }

    /// <summary>The new value.</summary>
    public double? Set { get; init; }

    /// <summary>Factor of the value in force.</summary>
    public double? Multiply { get; init; }

    /// <summary>The value never falls below this; a value that is lower already stays.</summary>
    public double Floor { get; set; }
}

/// <summary>Another optimizer, or other constants of the same; what is not given stays.</summary>
public sealed record OptimizerSwitchSpec
{
    /// <summary>adamw or sgd.</summary>
    public OptimizerType? Type { get; init; }

    /// <summary>Decay of the first moment.</summary>
    public double? Beta1 { get; init; }

    /// <summary>Decay of the second moment.</summary>
    public double? Beta2 { get; init; }

    /// <summary>Added to the root of the second moment.</summary>
    public double? Eps { get; init; }

    /// <summary>Decoupled weight decay.</summary>
    public double? WeightDecay { get; init; }

    /// <summary>keep or drop the moments.</summary>
    public OptimizerState State { get; set; } = OptimizerState.Keep;

    /// <summary>Steps after which the spec's optimizer returns. Default: never.</summary>
    public long? Steps { get; init; }
}

/// <summary>What happens to the optimizer's moments.</summary>
public enum OptimizerState { Keep, Drop }

/// <summary>The samples never to read again.</summary>
public sealed record SkipDataSpec
{
    /// <summary>rollback: from the checkpoint's cursor. onset: from where the trouble began.</summary>
    public SkipFrom From { get; set; } = SkipFrom.Rollback;

    /// <summary>Also skip this many batches after the attempt that fired.</summary>
    public int AlsoNext { get; set; }
}

/// <summary>Where the samples to skip begin; they end with the attempt that fired.</summary>
public enum SkipFrom { Rollback, Onset }

/// <summary>Samples to read in another order; each is still read once.</summary>
public sealed record ReshuffleDataSpec
{
    /// <summary>Batches from the checkpoint's cursor on.</summary>
    public int Batches { get; set; } = 1000;
}

/// <summary>A live hyper-parameter that can be overridden.</summary>
public enum HyperParameterField { PeakLearningRate, EndLearningRate, WarmupSteps, DecaySteps, GradientClip, OptimizerType, Beta1, Beta2, Eps, WeightDecay, LossScaleWindow, LossScaleFloor }

/// <summary>A value set by a person over the spec and over any policy, until it expires or is removed.</summary>
public sealed record OverrideSpec
{
    /// <summary>The hyper-parameter.</summary>
    public required HyperParameterField Field { get; init; }

    /// <summary>The value in force while this stands.</summary>
    public required double Value { get; init; }

    /// <summary>Why; shown in status and logbook.</summary>
    public string Reason { get; set; } = "";

    /// <summary>When it ends. Default: when it is removed.</summary>
    public DateTimeOffset? Expires { get; init; }
}
