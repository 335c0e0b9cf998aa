using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Objects;

/// <summary>A node taint.</summary>
internal sealed record Taint(string Key, string Value, string Effect, DateTimeOffset? TimeAdded = null)
{
    public const string NotReady = "node.kubernetes.io/not-ready";
    public const string Unreachable = "node.kubernetes.io/unreachable";
    public const string Unschedulable = "node.kubernetes.io/unschedulable";
    public const string OutOfService = "node.kubernetes.io/out-of-service";
    public const string NoSchedule = "NoSchedule";
    public const string NoExecute = "NoExecute";
    public const string PreferNoSchedule = "PreferNoSchedule";

    public static Taint From(JsonObject o) => new(o.Text("key") ?? "", o.Text("value") ?? "", o.Text("effect") ?? "", o.Time("timeAdded"));

    public static IReadOnlyList<Taint> Of(JsonObject node) => [.. node.Objects("spec", "taints").Select(From)];

    public JsonObject ToJson()
    {
        var o = new JsonObject { ["key"] = Key };
        if (Value.Length > 0) o["value"] = Value;
        o["effect"] = Effect;
        if (TimeAdded is { } time) o["timeAdded"] = time.ToKubernetesTime();
        return o;
    }

    /// <summary>Kubernetes identifies a taint by key and effect.</summary>
    public bool IsSame(Taint other) => Key == other.Key && Effect == other.Effect;
}
