using Opt.Api.Protocol;
using Opt.Trainer.Parallel;

namespace Opt.Trainer.Loop;

/// <summary>
/// Compares what more than one rank holds: parameters that are replicated over tensor-parallel ranks, and with hybrid sharding whole shards.
/// Every rank computes them for itself from the same sums, so they are equal bit for bit; where they are not, an accelerator or a
/// connection has computed or carried something wrong, and no checkpoint may be made of it.
/// </summary>
internal static class CopiesCheck
{
    /// <exception cref="TrainerException">ControlDiverged, on every rank: which ranks differ.</exception>
    public static void Require(World world, ShardStorage storage, long step)
    {
        var mesh = world.Mesh;
        if (mesh.TensorParallel == 1 && mesh.Replicas == 1) return;
        var digests = world.GatherFromAll([storage.Digest(replicatedOnly: true), mesh.Replicas == 1 ? 0 : storage.Digest(replicatedOnly: false)]);
        var ranks = Enumerable.Range(0, mesh.WorldSize).Select(rank => (Mesh: mesh with { Rank = rank }, Replicated: digests[2 * rank], All: digests[2 * rank + 1])).ToList();
        Same("replicated parameters differ between tensor-parallel ranks", ranks.GroupBy(r => r.Mesh.DataRank, r => (r.Mesh.Rank, r.Replicated)), step);
        Same("the copies of a shard differ", ranks.GroupBy(r => r.Mesh.TensorRank + r.Mesh.ShardRank * mesh.TensorParallel, r => (r.Mesh.Rank, r.All)), step);
    }

    private static void Same(string what, IEnumerable<IEnumerable<(int Rank, long Digest)>> groups, long step)
    {
        foreach (var group in groups)
        {
            var byDigest = group.GroupBy(r => r.Digest, r => r.Rank).ToList();
            if (byDigest.Count == 1) continue;
            var sides = string.Join(" against ", byDigest.OrderByDescending(g => g.Count()).Select(g => string.Join(", ", g)));
            throw new TrainerException(WorkerExit.ControlDiverged, $"{what} at step {step}: ranks {sides}. Suspect the accelerators of the smaller side; nothing was saved");
        }
    }
}
