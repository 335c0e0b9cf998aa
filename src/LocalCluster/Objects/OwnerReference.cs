using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Objects;

/// <summary>One entry of <c>metadata.ownerReferences</c>.</summary>
internal sealed record OwnerReference(string ApiVersion, string Kind, string Name, string Uid, bool IsController, bool BlocksOwnerDeletion)
{
    public string Group => ApiVersion.Contains('/', StringComparison.Ordinal) ? ApiVersion[..ApiVersion.IndexOf('/', StringComparison.Ordinal)] : "";

    public static OwnerReference From(JsonObject o) => new(
        o.Text("apiVersion") ?? "", o.Text("kind") ?? "", o.Text("name") ?? "", o.Text("uid") ?? "", o.Flag("controller"), o.Flag("blockOwnerDeletion"));

    /// <summary>The reference a controller puts on what it creates.</summary>
    public static JsonArray ToController(string apiVersion, string kind, JsonObject owner) =>
    [
        new JsonObject
        {
            ["apiVersion"] = apiVersion, ["kind"] = kind, ["name"] = owner.Name, ["uid"] = owner.Uid,
            ["controller"] = true, ["blockOwnerDeletion"] = true,
        },
    ];
}
