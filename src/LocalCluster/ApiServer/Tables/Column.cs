using System.Text.Json.Nodes;

namespace Opt.LocalCluster.ApiServer.Tables;

/// <summary>One column of a table, and how its cell reads an object.</summary>
/// <param name="Cell">The cell of an object at a time: a string, a number, a boolean or null.</param>
/// <param name="Priority">0 is always shown, 1 with <c>-o wide</c>.</param>
public sealed record Column(string Name, Func<JsonObject, DateTimeOffset, JsonNode?> Cell, int Priority = 0, string Type = "string", string Format = "", string Description = "")
{
    public const string NameText =
        "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";

    public const string AgeText =
        "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

    public JsonObject Definition() => new()
    {
        ["name"] = Name,
        ["type"] = Type,
        ["format"] = Format,
        ["description"] = Description.Length > 0 ? Description : Name,
        ["priority"] = Priority,
    };
}
