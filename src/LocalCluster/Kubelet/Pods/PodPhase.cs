using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>A pod's phase, from its containers.</summary>
internal static class PodPhase
{
    /// <summary>The main containers have ended for good: sidecars are not needed any more.</summary>
    public static bool MainHasEnded(JsonObject pod, IReadOnlyList<ContainerState> containers)
    {
        var policy = pod.Text("spec", "restartPolicy") ?? "Always";
        return containers.Where(c => c.Kind == ContainerKind.Main).All(c => c.Run is Run.Terminated && !PodDecision.MayRestart(policy, c));
    }

    public static string Of(JsonObject pod, IReadOnlyList<ContainerState> containers)
    {
        var policy = pod.Text("spec", "restartPolicy") ?? "Always";
        if (containers.Any(c => c.Kind == ContainerKind.Init && c.Run is Run.Terminated { ExitCode: not 0 } && policy == "Never")) return "Failed";
        if (containers.Any(c => c.Kind == ContainerKind.Init && !c.HasSucceeded)) return "Pending";
        var main = containers.Where(c => c.Kind == ContainerKind.Main).ToList();
        if (main.Exists(c => c.Run is Run.Waiting && c.Last is null)) return "Pending";   // one has never run
        if (!MainHasEnded(pod, containers) || containers.Any(c => c is { Kind: ContainerKind.Sidecar, IsRunning: true })) return "Running";
        return main.TrueForAll(c => c.HasSucceeded) ? "Succeeded" : "Failed";
    }
}
