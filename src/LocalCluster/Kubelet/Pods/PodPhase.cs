using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>A pod's phase, from its containers.</summary>
internal static class PodPhase
{
    public static string Of(JsonObject pod, IReadOnlyList<ContainerState> containers)
    {
        var policy = pod.Text("spec", "restartPolicy") ?? "Always";
        if (containers.Any(c => c.Kind == ContainerKind.Init && c.Run is Run.Terminated { ExitCode: not 0 } && policy == "Never")) return "Failed";
        if (containers.Any(c => c.Kind == ContainerKind.Init && !c.HasSucceeded)) return "Pending";
        var main = containers.Where(c => c.Kind == ContainerKind.Main).ToList();
        if (main.Exists(c => c.Run is Run.Waiting && c.Last is null)) return "Pending";   // one has never run
        if (main.Exists(c => c.IsRunning)) return "Running";
        if (main.Exists(c => c.Run is Run.Waiting || PodDecision.MayRestart(policy, c))) return "Running";
        return main.TrueForAll(c => c.HasSucceeded) ? "Succeeded" : "Failed";
    }
}
