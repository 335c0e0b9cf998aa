using Opt.Api.V1Alpha1;

namespace Opt.Api.Protocol;

/// <summary>One hyper-parameter whose value is not the spec's: absolute, with who set it and since when.</summary>
public sealed record HyperParameterOverride
{
    public required HyperParameterField Field { get; init; }
    public required double Value { get; init; }

    /// <summary>The spec's value when this was set: an edit of the spec that changes it ends the override.</summary>
    public required double SpecValue { get; init; }

    /// <summary>"policy NAME" or "user".</summary>
    public required string By { get; init; }

    public required DateTimeOffset Since { get; init; }
    public required long SinceStep { get; init; }
    public required string Reason { get; init; }

    /// <summary>Step at which the spec's value returns; null for never.</summary>
    public long? UntilStep { get; init; }

    /// <summary>Good steps after the newest firing of the policy at which the spec's value returns; null for never.</summary>
    public long? ReleaseAfterSteps { get; init; }
}

/// <summary>One past firing of a policy; kept in the plan with the decision it caused, so that decision and memory are one write.</summary>
public sealed record PolicyFiring
{
    public required string Policy { get; init; }

    /// <summary>Successful updates when it fired.</summary>
    public required long Step { get; init; }

    /// <summary>Epoch and attempt at which it fired; the same attempt never fires it again.</summary>
    public required long Epoch { get; init; }

    public required long Attempt { get; init; }

    /// <summary>0 for the first rung.</summary>
    public required int Rung { get; init; }

    public required DateTimeOffset At { get; init; }

    /// <summary>Recorded, not acted on.</summary>
    public bool Shadow { get; init; }

    /// <summary>Taken for a fault of one machine: it neither climbs a rung nor counts against the limit.</summary>
    public bool Hardware { get; init; }

    /// <summary>Place in the plan of the member that was blamed; another machine takes its ranks.</summary>
    public int? Member { get; init; }

    /// <summary>Led to a replay, not to an action: it counts against the policy's replays and nothing else.</summary>
    public bool Replay { get; init; }
}

/// <summary>The same data run again from a checkpoint with the same values, to tell numbers from hardware. Part of the plans until the verdict.</summary>
public sealed record ReplayOrder
{
    /// <summary>The policy that fired.</summary>
    public required string Policy { get; init; }

    /// <summary>Cause of the rollback that begins it; another rollback ends it without a verdict.</summary>
    public required string CauseId { get; init; }

    /// <summary>Step and attempt at which it fired.</summary>
    public required long Step { get; init; }

    public required long Attempt { get; init; }

    /// <summary>An attempt beyond this one without a firing shows that the trouble does not come back.</summary>
    public required long Until { get; init; }
}

/// <summary>A relaunch that was decided and not done yet. The next epoch's plan carries it out; it is decided once, whoever dies in between.</summary>
public sealed record RollbackOrder
{
    public required string CauseId { get; init; }
    public required string Reason { get; init; }
    public required string Message { get; init; }

    /// <summary>Null: go on from the newest checkpoint (a relaunch that was asked for).</summary>
    public RollbackSpec? To { get; init; }

    /// <summary>Checkpoints above this step are condemned.</summary>
    public required long OnsetStep { get; init; }

    /// <summary>Samples never to read again, up to <see cref="SkipTo"/>; null to skip none.</summary>
    public SkipFrom? SkipFrom { get; init; }

    /// <summary>Data cursor at the onset.</summary>
    public long OnsetSamples { get; init; }

    public long SkipTo { get; init; }

    /// <summary>Tests to make before the launch; network: of all pairs. Null for none.</summary>
    public DiagnosticsSet? Diagnose { get; init; }

    /// <summary>Samples from the checkpoint's cursor on to read in another order; 0 for none.</summary>
    public long Reshuffle { get; init; }

    /// <summary>The machine held responsible: it is replaced, and no hyper-parameter moves.</summary>
    public string? Node { get; init; }

    public string? Pod { get; init; }
}

/// <summary>What a plan changed on whose behalf, for the logbook.</summary>
public sealed record InterventionRecord
{
    /// <summary>"policy NAME", "user" or "operator".</summary>
    public required string Actor { get; init; }

    public required string What { get; init; }

    /// <summary>The evidence.</summary>
    public required string Why { get; init; }

    public required long Step { get; init; }
}

/// <summary>The job is held for a human: workers stopped, pods and machines kept.</summary>
public sealed record PauseOrder
{
    public required string By { get; init; }
    public required string Reason { get; init; }
    public required DateTimeOffset Since { get; init; }

    /// <summary>A later edit of the spec ends the pause, as the annotation resume does.</summary>
    public required long SpecGeneration { get; init; }

    /// <summary>The rollback to make when the pause ends.</summary>
    public RollbackOrder? Rollback { get; init; }

    /// <summary>The workers save before they leave: a person asked, and nothing is wrong with what they hold.</summary>
    public bool Saves { get; init; }

    /// <summary>When it ends by itself; null when only a person ends it.</summary>
    public DateTimeOffset? Until { get; init; }
}

/// <summary>A one-shot request and its answer.</summary>
public sealed record HandledRequest
{
    /// <summary>checkpoint, rollback, relaunch, diagnose, release-override, pause or resume.</summary>
    public required string Request { get; init; }

    /// <summary>The caller's id; the same id is never acted on again.</summary>
    public required string Id { get; init; }

    public required DateTimeOffset At { get; init; }

    /// <summary>What was done, or why not.</summary>
    public required string Answer { get; init; }
}

/// <summary>Set the loss scale once; a run whose checkpoint does not carry this id applies it.</summary>
public sealed record LossScaleReset(string Id, double Scale);
