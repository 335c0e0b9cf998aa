using Opt.Kubernetes;
using Opt.Operator.Cluster;
using Opt.Planning;

namespace Opt.Operator.Jobs;

/// <summary>
/// The last state of failed pods, taken from watch events: the StatefulSet controller deletes a failed pod within seconds, and what it said goes with it.
/// </summary>
internal sealed class EvidenceStore
{
    private const int Kept = 1024;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (ObjectKey Key, PodState Pod)> _pods = new(StringComparer.Ordinal);
    private readonly Queue<string> _order = new();

    public void Observe(InformerChange<V1Pod> change)
    {
        if ((change.New ?? change.Old) is not { Status.Phase: "Failed" or "Succeeded" } pod) return;
        lock (_gate)
        {
            if (_pods.TryAdd(pod.Metadata.Uid!, (change.Key, PodReader.Read(pod)))) _order.Enqueue(pod.Metadata.Uid!);
            if (_order.Count > Kept) _pods.Remove(_order.Dequeue());
        }
    }

    /// <summary>Evidence about pods of those uids.</summary>
    public IReadOnlyList<PodState> Of(IEnumerable<string> uids)
    {
        lock (_gate) return [.. uids.Where(_pods.ContainsKey).Select(uid => _pods[uid].Pod)];
    }
}
