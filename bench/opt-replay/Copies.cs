using Opt.Api.Protocol;

namespace Opt.Replay;

/// <summary>
/// A committed checkpoint and where its bytes are: in the store, or only on the nodes that saved it, each node's part a second time on the node half the
/// job further on (the trainer's own choice of partner).
/// </summary>
/// <param name="Nodes">The pods that saved it, by rank block; their agents keep the copies as long as they live.</param>
public sealed record Copies(CheckpointSummary Checkpoint, IReadOnlyList<Pod> Nodes, bool InStore)
{
    /// <summary>Every part is in the store or on a node that answers.</summary>
    public bool IsComplete => InStore || IsNearby;

    /// <summary>Every part is on a node that answers: nobody need ask the store.</summary>
    public bool IsNearby
    {
        get
        {
            for (var i = 0; i < Nodes.Count; i++)
            {
                if (!Keeps(Nodes[i]) && !Keeps(Nodes[(i + Nodes.Count / 2) % Nodes.Count])) return false;
            }

            return true;
        }
    }

    private static bool Keeps(Pod pod) => pod is { Answers: true, IsGone: false };
}
