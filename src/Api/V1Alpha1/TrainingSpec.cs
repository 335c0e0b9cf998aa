namespace Opt.Api.V1Alpha1;

/// <summary>Batch, schedule, optimizer. Absent fields take the preset's values.</summary>
public sealed record TrainingSpec
{
    /// <summary>Tokens per optimizer step; a multiple of sequenceLength. Default: the preset's; required for custom sizes. Relaunch.</summary>
    public long? BatchTokens { get; init; }

    /// <summary>Tokens per sample. Default: maxPositions of the model. Immutable.</summary>
    public int? SequenceLength { get; init; }

    /// <summary>Tokens to train on; the job succeeds at the first step that reaches it. Default: 300,000,000,000. Live.</summary>
    public long? TotalTokens { get; init; }

    /// <summary>Storage and wire type of parameters. Default: fp16. Immutable.</summary>
    public Precision Precision { get; set; } = Precision.Fp16;

    /// <summary>
    /// True: weights are kept in fp32 beside their 16-bit copy. False, with fp16 and bf16: they exist in 16 bit alone, updates are computed
    /// in fp32 and rounded, as OPT ran. Relaunch.
    /// </summary>
    public bool MasterWeights { get; set; } = true;

    /// <summary>The optimizer. Live.</summary>
    public OptimizerSpec Optimizer { get; set; } = new();

    /// <summary>Linear warm-up, then linear decay. Live.</summary>
    public LearningRateSpec LearningRate { get; set; } = new();

    /// <summary>Global L2 norm above which gradients are scaled down; 0 for no clipping. Default: the preset's, 1.0 for custom sizes. Live.</summary>
    public double? GradientClip { get; init; }

    /// <summary>Dynamic loss scaling; used with fp16 only. Live.</summary>
    public LossScaleSpec LossScale { get; set; } = new();

    /// <summary>full: recompute each block in backward; none: keep activations. Relaunch.</summary>
    public ActivationCheckpointing ActivationCheckpointing { get; set; } = ActivationCheckpointing.Full;

    /// <summary>True: free gathered parameters after forward and gather again in backward (ZeRO-3); false: keep them (ZeRO-2). Relaunch.</summary>
    public bool ReshardAfterForward { get; set; } = true;

    /// <summary>Sequences per forward pass of one data-parallel rank. Default: 1. Relaunch.</summary>
    public int MicroBatchSequences { get; set; } = 1;

    /// <summary>Seed of initial weights, data order and dropout. Immutable.</summary>
    public long Seed { get; set; } = 1;
}

/// <summary>Storage and wire type of parameters.</summary>
public enum Precision { Fp32, Fp16, Bf16 }

/// <summary>Whether blocks are recomputed in backward.</summary>
public enum ActivationCheckpointing { None, Full }

/// <summary>The optimizer family.</summary>
public enum OptimizerType { Adamw, Sgd }

/// <summary>How decoupled weight decay is scaled: by the learning rate, or by the bias-corrected step size as apex FusedAdamV1 did for OPT.</summary>
public enum WeightDecayRule { LearningRate, StepSize }

/// <summary>Which parameters decay: all, as OPT, or matrices alone (embeddings and projections, not biases and LayerNorms).</summary>
public enum WeightDecayScope { All, Matrices }

/// <summary>Optimizer and its constants.</summary>
public sealed record OptimizerSpec
{
    /// <summary>adamw, or plain sgd: no momentum, the same decay.</summary>
    public OptimizerType Type { get; set; } = OptimizerType.Adamw;

    /// <summary>Decay of the first moment.</summary>
    public double Beta1 { get; set; } = 0.9;

    /// <summary>Decay of the second moment.</summary>
    public double Beta2 { get; set; } = 0.95;

    /// <summary>Added to the root of the second moment.</summary>
    public double Eps { get; set; } = 1e-8;

    /// <summary>Decoupled weight decay; 0 for none.</summary>
    public double WeightDecay { get; set; } = 0.1;

    /// <summary>learningRate: decay is scaled by the learning rate. stepSize: by the bias-corrected step size, as apex FusedAdamV1 did for OPT.</summary>
    public WeightDecayRule WeightDecayRule { get; set; } = WeightDecayRule.LearningRate;

    /// <summary>all: every parameter decays, as in OPT. matrices: parameters of one dimension (biases, LayerNorms) do not.</summary>
    public WeightDecayScope WeightDecayScope { get; set; } = WeightDecayScope.All;
}

/// <summary>Linear from 0 to peak over the warm-up, then linear to finalRatio x peak at the end of the decay.</summary>
public sealed record LearningRateSpec
{
    /// <summary>The highest learning rate, reached at the end of the warm-up. Default: the preset's; required for custom sizes.</summary>
    public double? Peak { get; init; }

    /// <summary>Length of the linear warm-up from 0. Default: the preset's steps; 0 for custom sizes.</summary>
    public StepsOrTokens? Warmup { get; init; }

    /// <summary>Where the decay ends. Default: totalTokens.</summary>
    public DecaySpec? Decay { get; init; }
}

/// <summary>A length in optimizer steps or in tokens; exactly one is set.</summary>
public sealed record StepsOrTokens
{
    /// <summary>Length in optimizer steps.</summary>
    public long? Steps { get; init; }

    /// <summary>Length in tokens; rounded down to whole steps.</summary>
    public long? Tokens { get; init; }
}

/// <summary>The end of the decay in steps or tokens (default: totalTokens), and the ratio of the peak reached there.</summary>
public sealed record DecaySpec
{
    /// <summary>The optimizer step at which the decay ends.</summary>
    public long? Steps { get; init; }

    /// <summary>The token at which the decay ends; rounded down to whole steps.</summary>
    public long? Tokens { get; init; }

    /// <summary>Learning rate from then on, as a share of the peak.</summary>
    public double FinalRatio { get; set; } = 0.1;
}

/// <summary>Dynamic loss scaling as OPT ran it: doubles after a window of good steps, halves on overflow, never below the floor.</summary>
public sealed record LossScaleSpec
{
    /// <summary>Scale of a run that starts from nothing (OPT: 4).</summary>
    public double Initial { get; set; } = 4;

    /// <summary>Good attempts before the scale doubles. Default: max(1, 2^14 / data-parallel size).</summary>
    public int? Window { get; init; }

    /// <summary>The scale never falls below this (OPT-175B: 0.25).</summary>
    public double Floor { get; set; } = 0.25;

    /// <summary>fixed: the window never changes (OPT-175B). adaptive: doubles on growth, halves on overflow (metaseq after PR 115).</summary>
    public LossScaleWindow WindowRule { get; set; } = LossScaleWindow.Fixed;
}

/// <summary>How the growth window of the loss scale behaves.</summary>
public enum LossScaleWindow { Fixed, Adaptive }
