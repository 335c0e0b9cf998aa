using System.Collections.Concurrent;
using Opt.LocalCluster.Kubelet;

namespace Opt.LocalCluster.Simulation;

/// <summary>One simulated node and the pods that run on it.</summary>
internal sealed class SimulatedMachine(string name, string address)
{
    public string Name { get; } = name;

    public string Address { get; } = address;

    public MachineState State { get; set; }

    public string BootId { get; set; } = Guid.Empty.ToString();

    /// <summary>By pod uid.</summary>
    public ConcurrentDictionary<string, SimulatedRun> Runs { get; } = new(StringComparer.Ordinal);

    /// <summary>Until when pods that exited back off, by uid.</summary>
    public ConcurrentDictionary<string, DateTimeOffset> BackOff { get; } = new(StringComparer.Ordinal);
}

/// <summary>One pod on a simulated node. Its status is what the kubelet would report.</summary>
internal sealed class SimulatedRun(SimulatedPodContext context, ISimulatedPod script)
{
    public SimulatedPodContext Context { get; } = context;

    public ISimulatedPod Script { get; } = script;

    /// <summary>Something about it has not been reported yet, perhaps because the node is cut off.</summary>
    public bool IsDirty { get; set; }

    public bool IsReady { get; set; }

    public int? ExitCode { get; set; }

    public int Restarts { get; set; }

    public DateTimeOffset StartedAt { get; set; }

    public DateTimeOffset? StopBy { get; set; }
}
