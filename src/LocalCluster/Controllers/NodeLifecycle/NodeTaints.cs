using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.NodeLifecycle;

/// <summary>The taints that follow from a node's conditions and its cordon.</summary>
internal static class NodeTaints
{
    private static readonly (string Condition, string Status, string Taint)[] ByCondition =
    [
        ("Ready", "False", Taint.NotReady),
        ("Ready", "Unknown", Taint.Unreachable),
        ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
        ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
        ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
        ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
    ];

    private static readonly HashSet<string> Managed = [.. ByCondition.Select(c => c.Taint), Taint.Unschedulable];

    /// <summary>The NoSchedule taints the node should have and lacks, and those it has and should not. Null when it is right as it is.</summary>
    public static IReadOnlyList<Taint>? NoSchedule(JsonObject node, DateTimeOffset now)
    {
        var wanted = ByCondition.Where(c => Condition.StatusOf(node, c.Condition) == c.Status).Select(c => c.Taint).ToHashSet();
        if (node.Flag("spec", "unschedulable")) wanted.Add(Taint.Unschedulable);
        return Replace(node, wanted, Taint.NoSchedule, now);
    }

    /// <summary>The same for NoExecute, which only an unready node gets, and only when the eviction rate allows it (<paramref name="mayAdd"/>).</summary>
    public static IReadOnlyList<Taint>? NoExecute(JsonObject node, bool mayAdd, DateTimeOffset now)
    {
        var wanted = EvictionTaint(node) is { } key ? [key] : new HashSet<string>();
        var has = Taint.Of(node).Where(t => t.Effect == Taint.NoExecute).Select(t => t.Key).ToHashSet();
        if (!mayAdd && !wanted.IsSubsetOf(has)) wanted.IntersectWith(has);
        return Replace(node, wanted, Taint.NoExecute, now);
    }

    /// <summary>The taints without those that evict, or null when there are none.</summary>
    public static IReadOnlyList<Taint>? WithoutEviction(JsonObject node)
    {
        var all = Taint.Of(node);
        var kept = all.Where(t => t.Effect != Taint.NoExecute || !Managed.Contains(t.Key)).ToList();
        return kept.Count == all.Count ? null : kept;
    }

    /// <summary>The taint that evicts from this node, or null while it is ready.</summary>
    public static string? EvictionTaint(JsonObject node) => Condition.StatusOf(node, "Ready") switch
    {
        "False" => Taint.NotReady,
        "Unknown" => Taint.Unreachable,
        _ => null,
    };

    public static JsonObject With(JsonObject node, IReadOnlyList<Taint> taints)
    {
        var changed = (JsonObject)node.DeepClone();
        var spec = changed.Ensure("spec");
        if (taints.Count == 0) spec.Remove("taints");
        else spec["taints"] = new JsonArray([.. taints.Select(t => (JsonNode)t.ToJson())]);
        return changed;
    }

    private static List<Taint>? Replace(JsonObject node, HashSet<string> wanted, string effect, DateTimeOffset now)
    {
        var all = Taint.Of(node);
        bool Ours(Taint t) => t.Effect == effect && Managed.Contains(t.Key);
        var kept = all.Where(t => !Ours(t) || wanted.Contains(t.Key)).ToList();
        var missing = wanted.Where(key => !kept.Any(t => t.Effect == effect && t.Key == key)).Order(StringComparer.Ordinal).ToList();
        if (missing.Count == 0 && kept.Count == all.Count) return null;
        kept.AddRange(missing.Select(key => new Taint(key, "", effect, now)));
        return kept;
    }
}
