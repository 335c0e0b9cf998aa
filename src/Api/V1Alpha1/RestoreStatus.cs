namespace Opt.Api.V1Alpha1;

/// <summary>How far the workers are with restoring the checkpoint that a launch goes on from.</summary>
public sealed record RestoreStatus
{
    /// <summary>Step of the checkpoint.</summary>
    public required long Step { get; init; }

    /// <summary>Workers of the job.</summary>
    public required int Workers { get; init; }

    /// <summary>Workers that hold all of their shard.</summary>
    public required int Done { get; init; }

    /// <summary>Share of all shards that is there, 0 to 1.</summary>
    public required double Progress { get; init; }

    /// <summary>Estimate of the seconds that the slowest worker still needs, from its pace so far; absent until every worker that restores has one.</summary>
    public double? SecondsLeft { get; init; }

    /// <summary>The shards furthest behind, at most 8, slowest first.</summary>
    public EquatableList<ShardRestoreStatus> Slowest { get; set; } = [];
}

/// <summary>One worker's shard.</summary>
public sealed record ShardRestoreStatus
{
    /// <summary>Rank of the worker.</summary>
    public required int Rank { get; init; }

    /// <summary>Pod that it runs in.</summary>
    public required string Pod { get; init; }

    /// <summary>Share that is there, 0 to 1.</summary>
    public required double Progress { get; init; }

    /// <summary>Estimate of the seconds left; absent until there is one.</summary>
    public double? SecondsLeft { get; init; }
}
