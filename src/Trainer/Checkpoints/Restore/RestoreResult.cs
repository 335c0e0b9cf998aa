using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Trainer.Checkpoints;

/// <summary>What rank 0 tells all to try, in order, or why it cannot tell.</summary>
internal sealed record RestoreCandidates
{
    public EquatableList<CheckpointSummary> Checkpoints { get; set; } = [];
    public string? Error { get; init; }
}

/// <summary>What a rank, or all ranks together, made of one candidate. No trouble: it is restored.</summary>
internal sealed record RestoreResult
{
    public RestoreTrouble Trouble { get; init; }
    public string Error { get; init; } = "";
}

/// <summary>Why a candidate was not restored.</summary>
internal enum RestoreTrouble
{
    None,

    /// <summary>Bytes are missing or wrong: an older checkpoint may do.</summary>
    Damaged,

    /// <summary>The configuration does not fit the checkpoint: nothing older will do.</summary>
    OtherModel,

    /// <summary>The store does not answer: the checkpoint may well be fine.</summary>
    Store,
}
