using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.StatefulSets;

/// <summary>The template history of a set: which revision pods are updated to, which one they come from, and what has to be written for that.</summary>
internal sealed record StatefulSetRevisions(JsonObject Current, JsonObject Update, IReadOnlyList<Act> Acts)
{
    /// <summary>How many pods are of the current revision: a rolling update without a partition keeps the ordinals below it.</summary>
    public int StillCurrent { get; init; }

    public static StatefulSetRevisions Decide(JsonObject set, IReadOnlyList<JsonObject> revisions, IReadOnlyList<SetPod> pods)
    {
        var ordered = revisions.OrderBy(Number).ThenBy(r => r.Name, StringComparer.Ordinal).ToList();
        var next = ordered.Count == 0 ? 1 : Number(ordered[^1]) + 1;
        var wanted = Render(set, next);
        var acts = new List<Act>();

        var same = ordered.LastOrDefault(r => JsonNode.DeepEquals(r["data"], wanted["data"]));
        var update = same ?? wanted;
        if (same is null)
        {
            acts.Add(new Act.Create(Kinds.ControllerRevisions, wanted));
        }
        else if (!ReferenceEquals(same, ordered[^1]))   // a rollback: the old revision becomes the newest
        {
            update = same.Copy();
            update["revision"] = next;
            acts.Add(new Act.Replace(Kinds.ControllerRevisions, update));
        }

        var current = ordered.FirstOrDefault(r => r.Name == set.Text("status", "currentRevision")) ?? update;
        acts.AddRange(Forget(set, ordered, [current.Name, update.Name, .. pods.Select(pod => pod.Revision).Distinct()]));
        return new(current, update, acts);
    }

    private static long Number(JsonObject revision) => revision.Number("revision") ?? 0;

    private static JsonObject Render(JsonObject set, long number)
    {
        var template = set.At("spec", "template")!.Copy();
        template["$patch"] = "replace";
        var data = new JsonObject { ["spec"] = new JsonObject { ["template"] = template } };
        var hash = RevisionHash.Of(data, set.Number("status", "collisionCount") ?? 0);
        var labels = (set.At("spec", "template", "metadata", "labels") as JsonObject)?.Copy() ?? [];
        labels["controller.kubernetes.io/hash"] = hash;
        return new JsonObject
        {
            ["apiVersion"] = "apps/v1",
            ["kind"] = "ControllerRevision",
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{set.Name}-{hash}",
                ["namespace"] = set.Namespace,
                ["labels"] = labels,
                ["ownerReferences"] = OwnerReference.ToController("apps/v1", "StatefulSet", set),
            },
            ["data"] = data,
            ["revision"] = number,
        };
    }

    private static IEnumerable<Act> Forget(JsonObject set, List<JsonObject> ordered, HashSet<string> live)
    {
        var history = ordered.Where(r => !live.Contains(r.Name)).ToList();
        var surplus = history.Count - StatefulSetSpec.Of(set).HistoryLimit;
        return history.Take(Math.Max(0, surplus)).Select(r => new Act.Delete(Kinds.ControllerRevisions, r));
    }
}
