using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Simulation;

/// <summary>What a scripted pod knows of itself and can do.</summary>
public sealed class SimulatedPodContext
{
    private readonly SimulatedNodes _nodes;

    internal SimulatedPodContext(SimulatedNodes nodes, JsonObject pod, string node, string ip) => (_nodes, Pod, Node, Ip) = (nodes, pod, node, ip);

    /// <summary>The pod as it was when it was started. Not to be changed.</summary>
    public JsonObject Pod { get; }

    public string Node { get; }

    /// <summary>Unique among the pods of the cluster; nothing listens there unless the script does.</summary>
    public string Ip { get; }

    public TimeProvider Clock => _nodes.Clock;

    /// <summary>The containers run; the pod is Ready or not.</summary>
    public Task RunAsync(bool ready, CancellationToken ct = default) => _nodes.ReportRunningAsync(this, ready, ct);

    /// <summary>All containers end with this exit code. With <c>restartPolicy: Always</c> the kubelet then starts the pod's script anew.</summary>
    public Task ExitAsync(int code, CancellationToken ct = default) => _nodes.ReportExitAsync(this, code, ct);
}
