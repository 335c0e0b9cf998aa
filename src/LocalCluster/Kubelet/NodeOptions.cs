using Opt.LocalCluster.Kubelet.Images;
using Opt.LocalCluster.Kubelet.Pods;
using Opt.LocalCluster.Kubelet.Processes;
using Opt.LocalCluster.Kubelet.Volumes;

namespace Opt.LocalCluster.Kubelet;

/// <summary>The simulated machines of a process cluster: how many, what they have, what they run.</summary>
public sealed record NodeOptions
{
    /// <value>Default 1.</value>
    public int Count { get; init; } = 1;

    /// <value>Names are the prefix and a number from 1: <c>node-1</c>.</value>
    public string NamePrefix { get; init; } = "node-";

    /// <value>Extended resource that stands for accelerators. Default <c>nvidia.com/gpu</c>.</value>
    public string AcceleratorResource { get; init; } = "nvidia.com/gpu";

    /// <value>Default 0.</value>
    public int AcceleratorsPerNode { get; init; }

    public ImageStore Images { get; init; } = new([]);

    public HostPaths HostPaths { get; init; } = new([]);

    public Backoff Backoff { get; init; } = new();

    /// <value>When containers' logs are rotated.</value>
    public LogLimits LogLimits { get; init; } = new();

    /// <value>How often a node renews its lease. Default 10 s, as the kubelet does.</value>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <value>Where pods' directories, logs and claims are kept; one running cluster a directory.</value>
    public required string DataDirectory { get; init; }

    /// <value>The address under which pods reach the API server, given to them as KUBERNETES_SERVICE_HOST and _PORT; null for none.</value>
    public Uri? ApiServer { get; init; }
}
