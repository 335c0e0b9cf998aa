namespace Opt.Api.V1Alpha1;

/// <summary>How the pods of a job reach each other.</summary>
public sealed record NetworkSpec
{
    /// <summary>
    /// Pods use the network of their machine. The agent then listens on the machine's port 9440 and the rendezvous store on one of 24000 to 31999;
    /// collectives take ephemeral ports. Recreate.
    /// </summary>
    public bool HostNetwork { get; init; }

    /// <summary>Interfaces for NCCL's own connections, as in NCCL_SOCKET_IFNAME: "eth0", "=bond0", "^docker". Default: NCCL's choice. Recreate.</summary>
    public string? SocketInterface { get; init; }

    /// <summary>RDMA devices of each pod; also lets it lock memory (capability IPC_LOCK). Recreate.</summary>
    public RdmaSpec? Rdma { get; init; }

    /// <summary>
    /// The operator and the agents speak TLS, with a certificate of the job's own that all of them pin. Collectives are not encrypted. Default: false. Recreate.
    /// </summary>
    public bool? Tls { get; init; }
}

/// <summary>RDMA devices, as a device plugin offers them.</summary>
public sealed record RdmaSpec
{
    /// <summary>The extended resource, for example rdma/hca or nvidia.com/mlnxnics.</summary>
    public required string Resource { get; init; }

    /// <summary>How many each pod gets.</summary>
    public int Count { get; set; } = 1;
}

/// <summary>Who places the pods of a job, and where.</summary>
public sealed record SchedulingSpec
{
    /// <summary>A Kueue local queue: the label kueue.x-k8s.io/queue-name of the StatefulSet. Recreate.</summary>
    public string? Queue { get; init; }

    /// <summary>The pod group that all pods of the job join, so that they are placed together or not at all. Recreate.</summary>
    public GangSpec? Gang { get; init; }

    /// <summary>Racks or other blocks of machines, by a label of the nodes. Recreate.</summary>
    public RackSpec? Rack { get; init; }
}

/// <summary>A pod group, made by whoever runs the scheduler: its minimum must not count spare nodes.</summary>
public sealed record GangSpec
{
    /// <summary>
    /// native: the Kubernetes scheduler's own (schedulingGroup, Kubernetes 1.36). volcano: schedulerName volcano and its annotation.
    /// coscheduling: schedulerName scheduler-plugins-scheduler and its label.
    /// </summary>
    public GangScheduler Scheduler { get; set; } = GangScheduler.Native;

    /// <summary>Name of the PodGroup in the job's namespace.</summary>
    public required string Group { get; init; }
}

/// <summary>Which scheduler places a pod group.</summary>
public enum GangScheduler { Native, Volcano, Coscheduling }

/// <summary>Blocks of machines, and whether pods go close together or far apart.</summary>
public sealed record RackSpec
{
    /// <summary>The label of nodes that names their block, for example topology.kubernetes.io/rack.</summary>
    public required string Label { get; init; }

    /// <summary>pack: as few blocks as can be, for short ways. spread: evenly, so that the loss of one takes few pods. Both are preferences.</summary>
    public RackPlacement Placement { get; set; } = RackPlacement.Pack;
}

/// <summary>Whether pods go close together or far apart.</summary>
public enum RackPlacement { Pack, Spread }
