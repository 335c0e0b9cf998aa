using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Simulation;

/// <summary>Nodes without machines, for tests and benchmarks in virtual time.</summary>
public sealed record SimulatedNodeOptions
{
    public int Count { get; init; } = 1;

    /// <value>Names are the prefix and a number from 1.</value>
    public string NamePrefix { get; init; } = "sim-";

    public string AcceleratorResource { get; init; } = "nvidia.com/gpu";

    public int AcceleratorsPerNode { get; init; } = 8;

    /// <value>How often each node renews its lease. Default 10 s.</value>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <value>Labels of the node with this index, beside its host name. Default: none.</value>
    public Func<int, IReadOnlyDictionary<string, string>>? Labels { get; init; }

    /// <value>The address with this number, from 1: first the nodes', then the pods' as they start. Default: in 10.0.0.0/8, where nobody listens.</value>
    public Func<int, string> Address { get; init; } = number => $"10.{number >> 16}.{(number >> 8) & 255}.{number & 255}";

    /// <value>The script of a pod. Default: Ready at once, ends when asked to.</value>
    public Func<JsonObject, ISimulatedPod> Script { get; init; } = _ => new ReadyPod();
}
