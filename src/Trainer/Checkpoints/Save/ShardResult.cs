namespace Opt.Trainer.Checkpoints;

/// <summary>What a rank tells rank 0 about its part of a save: the object is durable, or why not.</summary>
internal sealed record ShardResult
{
    public ObjectRecord? Object { get; init; }
    public string? Error { get; init; }
}
