namespace Opt.Api.V1Alpha1;

/// <summary>Where an object of a checkpoint lies, nearest first.</summary>
public enum CheckpointTier
{
    /// <summary>The agent's folder on the node itself: shared memory, or its disk where memory is short.</summary>
    Node,

    /// <summary>The agent of another node.</summary>
    Peer,

    /// <summary>The checkpoint store: the only one that survives the nodes.</summary>
    Store,
}
