using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Objects;

/// <summary>Status conditions of any kind.</summary>
internal static class Condition
{
    public static JsonObject? Find(JsonObject o, string type) =>
        o.Objects("status", "conditions").FirstOrDefault(c => c.Text("type") == type);

    /// <summary><c>True</c>, <c>False</c>, <c>Unknown</c>, or null when the object has no such condition.</summary>
    public static string? StatusOf(JsonObject o, string type) => Find(o, type).Text("status");

    public static bool IsTrue(JsonObject o, string type) => StatusOf(o, type) == "True";
}
