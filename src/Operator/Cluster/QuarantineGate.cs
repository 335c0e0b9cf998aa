using Opt.Planning;

namespace Opt.Operator.Cluster;

/// <summary>
/// Keeps the breaker on quarantines whole while several jobs are worked on at the same time: what was let through counts at once, not only when the informer shows it.
/// Only the leader puts nodes aside, so what this process knows is enough.
/// </summary>
internal sealed class QuarantineGate(Func<(int Total, IReadOnlyCollection<string> Quarantined)> nodes, QuarantineBreaker breaker, TimeProvider clock)
{
    /// <summary>A write whose answer was lost may have been carried out: it counts for so long, or until the node shows it.</summary>
    private static readonly TimeSpan Unseen = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _let = new(StringComparer.Ordinal);

    /// <summary>How many more nodes of the cluster may be put aside now.</summary>
    public int Room()
    {
        lock (_gate)
        {
            var (total, quarantined) = nodes();
            foreach (var name in _let.Where(l => quarantined.Contains(l.Key) || clock.GetElapsedTime(l.Value) > Unseen).Select(l => l.Key).ToArray()) _let.Remove(name);
            return breaker.Room(total, quarantined.Count + _let.Count);
        }
    }

    /// <summary>Whether that node may be put aside; one that is already, or was let through a moment ago, takes no place.</summary>
    public bool TryEnter(string node)
    {
        lock (_gate)
        {
            if (_let.ContainsKey(node) || nodes().Quarantined.Contains(node)) return true;
            if (Room() <= 0) return false;
            _let[node] = clock.GetTimestamp();
            return true;
        }
    }

    /// <summary>The API server refused: the place is free again.</summary>
    public void Leave(string node)
    {
        lock (_gate) _let.Remove(node);
    }
}
