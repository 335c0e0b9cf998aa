namespace Opt.Replay;

/// <summary>
/// How long each stage takes that this program does not simulate but assumes, in seconds. Each is an input with its source; the sensitivity
/// table multiplies them one at a time.
/// </summary>
public sealed record Stages
{
    /// <summary>One optimizer step of OPT-175B on 992 A100: 2.03 million tokens at 147 TFLOP/s a GPU (OPT paper, section 2.4; 34.1 days for 143,000 steps).</summary>
    public double Step { get; init; } = 20;

    /// <summary>Kubelet silence until the node controller says NotReady: kube-controller-manager's node-monitor-grace-period (50 s since 1.32).</summary>
    public double NotReady { get; init; } = 50;

    /// <summary>A request to a dead machine fails: the operator's own connect time-out.</summary>
    public double ConnectTimeout { get; init; } = 3;

    /// <summary>One fence or catalogue through an agent: some round trips to blob storage.</summary>
    public double Fence { get; init; } = 2;

    /// <summary>The stacks of all ranks before a hang is ended: the time the operator gives an agent.</summary>
    public double Stacks { get; init; } = 5;

    /// <summary>Old workers killed and reaped, device memory free.</summary>
    public double StopWorkers { get; init; } = 5;

    /// <summary>Processes, CUDA contexts and the model's buffers: the greater part of 46 s for a hot update on 2,048 GPUs (ByteRobust, arXiv:2509.16293, table 7).</summary>
    public double StartWorkers { get; init; } = 30;

    /// <summary>Rendezvous and NCCL: under 5 s on 2,048 GPUs when done well (MegaScale, arXiv:2402.15627, section 3.5); twice that here.</summary>
    public double Rendezvous { get; init; } = 10;

    /// <summary>Every rank reads its part from its own node's memory; a new node asks the partner: 17 GB at 24 Gb/s, the network of an Azure ND96asr v4, is 6 s; twice that here.</summary>
    public double RestoreNearby { get; init; } = 12;

    /// <summary>A save counts once each node's 17 GB are on its partner as well: at 8 Gb/s, a third of an ND96asr v4's network, so that training keeps the rest.</summary>
    public double CopyNearby { get; init; } = 17;

    /// <summary>The whole job from the store: 2.1 TB at 200 Gb/s, the default egress limit of an Azure storage account; ranks read in parallel.</summary>
    public double Restore { get; init; } = 84;

    /// <summary>2.1 GB a rank at the 96 Mb/s that OPT capped each upload to (metaseq, azcopy --cap-mbps 96.0): 176 s.</summary>
    public double Upload { get; init; } = 176;

    /// <summary>
    /// 2.1 GB a rank go to host memory beside the next forward and backward: 0.17 s at the 12.4 GB/s that each of two A100 behind one switch gets into pinned
    /// memory (24.8 GB/s a link, nvbandwidth on 8 A100-SXM4, NVIDIA developer forum 352186); 0.8 s at the pace of DLRover's 0.2 s for 65B parameters on 1,536
    /// GPUs (flash_checkpoint.md), which is into pageable memory, as here.
    /// </summary>
    public double Copy { get; init; } = 0.5;

    /// <summary>
    /// What training stands still to begin a save: digests of what tensor-parallel ranks hold in common (some 2,000 reads of 20 us from the device) and one
    /// gather of them over all ranks; twice that here.
    /// </summary>
    public double Stall { get; init; } = 0.1;

    /// <summary>
    /// How much longer the attempt takes beside which the copy goes on: as long as the link from GPU to switch, 24.8 GB/s, is taken by 2.1 GB, though NCCL
    /// needs only 5 of those 20 s for its 131 GB of weights and gradients, most of them hidden. (DataStates-LLM, arXiv:2406.10707, copies so beside
    /// forward and backward.)
    /// </summary>
    public double Contention { get; init; } = 0.085;

    /// <summary>A pod on a machine that never ran one: image pull and start (DLRover counts about 2 min a pod).</summary>
    public double PodStart { get; init; } = 120;

    /// <summary>From a machine put aside to a new one in the pool: "hours per replacement" (OPT logbook).</summary>
    public double MachineReplacement { get; init; } = 4 * 3600;

    /// <summary>A restore read that stalls: the trainer's watchdog (20 s) and a second read.</summary>
    public double ReadStall { get; init; } = 30;

    /// <summary>The provider's deletion of the cluster on 21 December: resumed by the end of the day.</summary>
    public double ClusterOutage { get; init; } = 8 * 3600;

    /// <summary>The inputs that the sensitivity table varies, each with a way to scale it.</summary>
    public static readonly IReadOnlyList<(string Name, Func<Stages, double, Stages> Scale)> Varied =
    [
        ("node NotReady", (s, f) => s with { NotReady = s.NotReady * f }),
        ("stop workers", (s, f) => s with { StopWorkers = s.StopWorkers * f }),
        ("start workers", (s, f) => s with { StartWorkers = s.StartWorkers * f }),
        ("rendezvous", (s, f) => s with { Rendezvous = s.Rendezvous * f }),
        ("restore from nearby copies", (s, f) => s with { RestoreNearby = s.RestoreNearby * f }),
        ("restore from the store", (s, f) => s with { Restore = s.Restore * f }),
        ("copy to the partner", (s, f) => s with { CopyNearby = s.CopyNearby * f }),
        ("checkpoint upload", (s, f) => s with { Upload = s.Upload * f }),
        ("copy to host memory", (s, f) => s with { Copy = s.Copy * f }),
        ("longer attempt beside it", (s, f) => s with { Contention = s.Contention * f }),
        ("checkpoint stall", (s, f) => s with { Stall = s.Stall * f }),
        ("pod start", (s, f) => s with { PodStart = s.PodStart * f }),
        ("machine replacement", (s, f) => s with { MachineReplacement = s.MachineReplacement * f }),
        ("cluster outage", (s, f) => s with { ClusterOutage = s.ClusterOutage * f }),
    ];
}
