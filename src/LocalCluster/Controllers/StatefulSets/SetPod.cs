using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.StatefulSets;

/// <summary>A pod of a set with what its controller asks about it.</summary>
internal sealed record SetPod(JsonObject Object, string Name, int? Ordinal, string Revision, bool IsTerminating, bool IsFinished, DateTimeOffset? ReadySince)
{
    public bool IsReady => ReadySince is not null;

    public static SetPod Read(JsonObject set, JsonObject pod)
    {
        var name = pod.Name;
        var phase = pod.Phase;
        var since = phase == "Running" && Condition.Find(pod, "Ready") is { } ready && ready.Text("status") == "True" ? ready.Time("lastTransitionTime") ?? DateTimeOffset.MinValue : (DateTimeOffset?)null;
        return new(pod, name, StatefulSetSpec.OrdinalOf(set, name), pod.Text("metadata", "labels", "controller-revision-hash") ?? "", pod.IsTerminating, phase is "Succeeded" or "Failed", since);
    }
}
