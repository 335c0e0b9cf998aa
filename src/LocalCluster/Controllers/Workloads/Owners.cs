using System.Text.Json.Nodes;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Workloads;

/// <summary>From a changed object to the controller object that manages it.</summary>
internal static class Owners
{
    public static void Enqueue(ControllerLoop<ObjectKey> loop, string ownerKind, ObjectChange change)
    {
        if (change.Before is { } before) Enqueue(loop, ownerKind, before);
        if (change.After is { } after) Enqueue(loop, ownerKind, after);
    }

    /// <summary>The index value of an object: its controller's uid, or empty for an orphan.</summary>
    public static IEnumerable<string> IndexOf(JsonObject o) => [o.ControllerOwner?.Uid ?? ""];

    private static void Enqueue(ControllerLoop<ObjectKey> loop, string ownerKind, JsonObject o)
    {
        if (o.ControllerOwner is { } owner && owner.Kind == ownerKind) loop.Enqueue(new(o.Namespace, owner.Name));
    }
}
