using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.StatefulSets;

/// <summary>The fields of a StatefulSet that its controller acts on, and the time at which they are looked at.</summary>
internal sealed record StatefulSetSpec(int Replicas, int FirstOrdinal, bool IsParallel, bool IsOnDelete, int Partition, int MaxUnavailable, TimeSpan MinReady, int HistoryLimit)
{
    public DateTimeOffset Now { get; init; }

    /// <summary>Ready for as long as <c>minReadySeconds</c> asks.</summary>
    public bool IsAvailable(SetPod pod) => pod.ReadySince is { } since && (MinReady == TimeSpan.Zero || since + MinReady <= Now);

    /// <summary>Nothing has to be waited for: it is available and not going.</summary>
    public bool IsHealthy(SetPod pod) => !pod.IsTerminating && IsAvailable(pod);

    public int EndOrdinal => FirstOrdinal + Replicas;

    public bool Covers(int ordinal) => ordinal >= FirstOrdinal && ordinal < EndOrdinal;

    public static StatefulSetSpec Of(JsonObject set) => new(
        Replicas: (int)(set.Number("spec", "replicas") ?? 1),
        FirstOrdinal: (int)(set.Number("spec", "ordinals", "start") ?? 0),
        IsParallel: set.Text("spec", "podManagementPolicy") == "Parallel",
        IsOnDelete: set.Text("spec", "updateStrategy", "type") == "OnDelete",
        Partition: (int)(set.Number("spec", "updateStrategy", "rollingUpdate", "partition") ?? 0),
        MaxUnavailable: Percentage.Of(set.At("spec", "updateStrategy", "rollingUpdate", "maxUnavailable"), (int)(set.Number("spec", "replicas") ?? 1), roundUp: true) is { } max ? Math.Max(1, max) : 1,
        MinReady: TimeSpan.FromSeconds(set.Number("spec", "minReadySeconds") ?? 0),
        HistoryLimit: (int)(set.Number("spec", "revisionHistoryLimit") ?? 10));

    /// <summary>The ordinal in a pod name of this set, or null for a name that is none of its own.</summary>
    public static int? OrdinalOf(JsonObject set, string podName)
    {
        var dash = podName.LastIndexOf('-');
        return dash > 0 && podName[..dash] == set.Name && int.TryParse(podName.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var ordinal) ? ordinal : null;
    }
}
