using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Objects;

/// <summary>What controllers ask about a pod.</summary>
internal static class PodFacts
{
    extension(JsonObject pod)
    {
        public string Phase => pod.Text("status", "phase") ?? "";
        public string NodeName => pod.Text("spec", "nodeName") ?? "";
        public string PodIp => pod.Text("status", "podIP") ?? "";
        public bool IsFinished => pod.Phase is "Succeeded" or "Failed";
        public bool IsPodReady => Condition.IsTrue(pod, "Ready");
        public bool IsRunningAndReady => pod.Phase == "Running" && pod.IsPodReady;
    }

    /// <summary>Ready for at least <paramref name="minReady"/>.</summary>
    public static bool IsAvailable(this JsonObject pod, TimeSpan minReady, DateTimeOffset now) =>
        pod.IsPodReady && (minReady == TimeSpan.Zero || Condition.Find(pod, "Ready").Time("lastTransitionTime") + minReady <= now);
}
