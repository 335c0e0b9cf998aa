using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Objects;

/// <summary>A pod's toleration; <paramref name="Seconds"/> null tolerates without limit.</summary>
internal sealed record Toleration(string Key, string Operator, string Value, string Effect, long? Seconds)
{
    public static IReadOnlyList<Toleration> Of(JsonObject pod) => [.. pod.Objects("spec", "tolerations").Select(From)];

    public bool Tolerates(Taint taint) =>
        (Effect.Length == 0 || Effect == taint.Effect)
        && (Key.Length == 0 || Key == taint.Key)
        && (Operator == "Exists" || ((Operator is "" or "Equal") && Value == taint.Value));

    private static Toleration From(JsonObject o) =>
        new(o.Text("key") ?? "", o.Text("operator") ?? "", o.Text("value") ?? "", o.Text("effect") ?? "", o.Number("tolerationSeconds"));
}
