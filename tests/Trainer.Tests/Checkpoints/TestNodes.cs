using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>Nodes with memory for copies, without a network: rank r lives on node r, its partner is half of them away.</summary>
internal sealed class TestNodes : IDisposable
{
    public const int Count = 4;
    private readonly TestDirectory[] _folders = [.. Enumerable.Range(0, Count).Select(_ => new TestDirectory())];

    /// <summary>Epoch of the workers that live: an agent ends those of an older one, and keeps nothing for those elsewhere.</summary>
    public long Epoch { get; set; }

    public static int NodeOf(int rank) => rank % Count;

    public static int PartnerOf(int rank) => (rank + Count / 2) % Count;

    /// <summary>What a rank has near by.</summary>
    public IReadOnlyList<INearbyCopies> Of(int rank, long epoch)
    {
        var others = Enumerable.Range(0, Count).Where(n => n != NodeOf(rank)).Select(Copies).ToArray();
        return [new Guarded(this, epoch, CheckpointTier.Node, Copies(NodeOf(rank)), [Copies(NodeOf(rank))]), new Guarded(this, epoch, CheckpointTier.Peer, Copies(PartnerOf(rank)), others)];
    }

    /// <summary>A node is replaced.</summary>
    public void Lose(int node)
    {
        foreach (var folder in Directory.GetDirectories(_folders[node].Path)) Directory.Delete(folder, recursive: true);
    }

    public void Dispose()
    {
        foreach (var folder in _folders) folder.Dispose();
    }

    private NodeCopies Copies(int node) => new([_folders[node].Path]);

    private sealed class Guarded(TestNodes nodes, long epoch, CheckpointTier tier, NodeCopies keeper, IReadOnlyList<NodeCopies> all) : INearbyCopies
    {
        public CheckpointTier Tier => tier;

        public async Task<bool> TryKeepAsync(string name, IObjectContent content, string? beside, CancellationToken ct) => epoch >= nodes.Epoch && await keeper.TryKeepAsync(name, content, beside, ct);

        public async Task<bool> TryReadAsync(string name, long offset, Memory<byte> destination, CancellationToken ct)
        {
            foreach (var node in all)
            {
                if (await node.TryReadAsync(name, offset, destination, ct)) return true;
            }

            return false;
        }
    }
}
