using System.Text.Json.Nodes;
using Opt.LocalCluster.Kubelet.Probes;

namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>What a pod's worker is told.</summary>
internal abstract record PodMessage
{
    /// <summary>The pod as the API server has it now; null when it is gone there.</summary>
    public sealed record Changed(JsonObject? Pod) : PodMessage;

    /// <summary>A container's process has ended.</summary>
    public sealed record Exited(ContainerInstance Instance, int Code, DateTimeOffset At) : PodMessage;

    /// <summary>A probe has reached a verdict.</summary>
    public sealed record Probed(ContainerInstance Instance, ProbeSpec Probe, bool Succeeded) : PodMessage;

    /// <summary>Look again: time has passed, or something that the pod refers to has changed.</summary>
    public sealed record Look : PodMessage;
}
