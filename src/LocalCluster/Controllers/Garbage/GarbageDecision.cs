using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Garbage;

/// <summary>
/// The garbage collector's rules for one object, given the state of its owners and its own dependants (objects whose references carry its uid).
/// </summary>
internal static class GarbageDecision
{
    private const string Foreground = "foregroundDeletion";
    private const string Orphan = "orphan";

    /// <summary>As a dependant: is it garbage?</summary>
    public static IEnumerable<Act> AsDependant(ResourceId resource, JsonObject o, Func<OwnerReference, OwnerState> stateOf, bool hasDependants)
    {
        var owners = o.Owners.Select(owner => (Owner: owner, State: stateOf(owner))).ToList();
        if (owners.Count == 0 || o.IsTerminating) yield break;
        var solid = owners.Where(owner => owner.State is OwnerState.Solid or OwnerState.Unknown).ToList();
        var gone = owners.Where(owner => owner.State is OwnerState.Absent or OwnerState.WaitingForDependants).ToList();
        if (gone.Count == 0) yield break;
        if (solid.Count > 0)
        {
            yield return DropOwners(resource, o, gone.Select(owner => owner.Owner));
            yield break;
        }

        // A dependant of an owner that waits is deleted in the foreground too, so that a whole tree goes from its leaves up.
        var waited = owners.Any(owner => owner.State == OwnerState.WaitingForDependants);
        yield return new Act.Delete(resource, o, Propagation: waited && hasDependants ? "Foreground" : DefaultPropagation(o));
    }

    /// <summary>As an owner that is being deleted: release what waits for its dependants.</summary>
    public static IEnumerable<Act> AsOwner(ResourceId resource, JsonObject o, IReadOnlyList<(ResourceId Resource, JsonObject Object)> dependants)
    {
        if (!o.IsTerminating) yield break;
        if (o.Finalizers.Contains(Orphan))
        {
            foreach (var dependant in dependants) yield return DropOwners(dependant.Resource, dependant.Object, dependant.Object.Owners.Where(owner => owner.Uid == o.Uid));
            if (dependants.Count == 0) yield return DropFinalizer(resource, o, Orphan);
        }
        else if (o.Finalizers.Contains(Foreground) && !dependants.Any(d => d.Object.Owners.Any(owner => owner.Uid == o.Uid && owner.BlocksOwnerDeletion)))
        {
            yield return DropFinalizer(resource, o, Foreground);
        }
    }

    public static bool WaitsForDependants(JsonObject o) => o.IsTerminating && o.Finalizers.Contains(Foreground);

    private static string DefaultPropagation(JsonObject o) =>
        o.Finalizers.Contains(Orphan) ? "Orphan" : o.Finalizers.Contains(Foreground) ? "Foreground" : "Background";

    private static Act.Patch DropOwners(ResourceId resource, JsonObject o, IEnumerable<OwnerReference> gone)
    {
        var uids = gone.Select(owner => owner.Uid).ToHashSet();
        var kept = o.Objects("metadata", "ownerReferences").Where(r => !uids.Contains(r.Text("uid") ?? "")).Select(r => (JsonNode)r.Copy()).ToArray();
        return Merge(resource, o, "ownerReferences", kept);
    }

    private static Act.Patch DropFinalizer(ResourceId resource, JsonObject o, string finalizer) =>
        Merge(resource, o, "finalizers", [.. o.Finalizers.Where(f => f != finalizer).Select(f => (JsonNode)JsonValue.Create(f))]);

    // uid and resourceVersion make the patch a precondition: another writer's change sends the decision back to the queue.
    private static Act.Patch Merge(ResourceId resource, JsonObject o, string field, JsonNode[] kept) => new(resource, o, PatchKind.Merge, new JsonObject
    {
        ["metadata"] = new JsonObject
        {
            ["uid"] = o.Uid, ["resourceVersion"] = o.ResourceVersion, [field] = kept.Length == 0 ? null : new JsonArray(kept),
        },
    });
}
