namespace Opt.Api.V1Alpha1;

/// <summary>Evidence that the operator waits out before it acts.</summary>
public sealed record WatchStatus
{
    /// <summary>
    /// Whose deadline it is: hang, launch, peerLost, agentSilence, nodeNotReady, termination, spare, provision, waitForSpare, drain or diagnostics.
    /// </summary>
    public required string What { get; init; }

    /// <summary>The node it is about, if it is about one.</summary>
    public string? Node { get; init; }

    /// <summary>The pod it is about, if it is about one.</summary>
    public string? Pod { get; init; }

    /// <summary>Since when it has been so.</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>When it is acted on; absent while it is not going to be, as for silence while steps advance or while the operator is cut off.</summary>
    public DateTimeOffset? Until { get; init; }
}
