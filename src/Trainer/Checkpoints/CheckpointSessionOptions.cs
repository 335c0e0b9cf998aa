using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <summary>What a rank says once about itself and the run before it saves or restores.</summary>
public sealed record CheckpointSessionOptions
{
    /// <summary>Not disposed by the session.</summary>
    public required ICheckpointStore Store { get; init; }

    public required string JobUid { get; init; }

    /// <summary>Epoch of the plan; the store must be fenced at it.</summary>
    public required long Epoch { get; init; }

    public required ModelDimensions Model { get; init; }
    public required CheckpointSpec Spec { get; init; }
    public required ShardLayout Layout { get; init; }

    /// <summary>Every buffer of this rank, in an order that is the same on each save.</summary>
    public required IReadOnlyList<StateBuffer> Buffers { get; init; }

    /// <summary>Called on the caller's thread before the buffers are read: what was issued to an accelerator before must be done by then.</summary>
    public Action BeforeCopy { get; init; } = () => { };

    /// <summary>Called on the thread that will read the buffers.</summary>
    public Action OnCopyThread { get; init; } = () => { };

    /// <summary>False on ranks whose state other ranks write (copies of hybrid sharding): their objects are empty. Restoring fills them all the same.</summary>
    public bool WritesState { get; init; } = true;

    public required IRankExchange Exchange { get; init; }

    /// <summary>Who writes, for the log: the pod's name.</summary>
    public required string Writer { get; init; }

    /// <summary>What wrote it, for the record: image and library versions.</summary>
    public string Software { get; init; } = "";

    /// <summary>Copies nearer than the store, nearest first.</summary>
    internal IReadOnlyList<INearbyCopies> Nearby { get; init; } = [];

    /// <summary>How long a commit waits for them once the object is in the store.</summary>
    internal TimeSpan CopyGrace { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the copies of a save that lives in memory may take.</summary>
    internal TimeSpan MemoryGrace { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How the commit log is kept short.</summary>
    internal LogLimits LogLimits { get; init; } = LogLimits.Default;
}
