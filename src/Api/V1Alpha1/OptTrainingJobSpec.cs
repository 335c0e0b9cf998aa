using System.Text.Json.Nodes;

namespace Opt.Api.V1Alpha1;

/// <summary>What to train, on what, from which data, and where to keep it. A minimal job names model, nodes, image, data and store.</summary>
public sealed record OptTrainingJobSpec
{
    /// <summary>The model: a preset or custom sizes. Immutable.</summary>
    public required ModelSpec Model { get; init; }

    /// <summary>How many machines and how the model is split over them. Relaunch, except acceleratorsPerNode and tensorParallel: immutable.</summary>
    public required TopologySpec Topology { get; init; }

    /// <summary>The trainer pods. Recreate: taken in one transition that recreates every pod.</summary>
    public required PodSpec Pod { get; init; }

    /// <summary>The tokenised corpora. Relaunch.</summary>
    public required DataSpec Data { get; init; }

    /// <summary>Batch, schedule, optimizer. Each field says how a change is taken.</summary>
    public TrainingSpec Training { get; set; } = new();

    /// <summary>Where and how often state is saved.</summary>
    public required CheckpointSpec Checkpoint { get; init; }

    /// <summary>Deadlines and budgets of the failure ladder. Live: only the operator reads it.</summary>
    public FailurePolicySpec FailurePolicy { get; set; } = new();

    /// <summary>What to do when training goes wrong numerically, in order of precedence. Live: only the operator reads it.</summary>
    public EquatableList<DivergencePolicySpec> DivergencePolicies { get; set; } = [];

    /// <summary>Values set by hand over the spec and over any policy. Live.</summary>
    public EquatableList<OverrideSpec> Overrides { get; set; } = [];

    /// <summary>True: save a checkpoint, then release all pods until it is false again. Live.</summary>
    public bool Suspend { get; init; }

    /// <summary>
    /// Seconds after its end, good or bad, at which the job is deleted with all it owns but its checkpoints. Default: never. Live.
    /// </summary>
    public int? TtlSecondsAfterFinished { get; init; }

    /// <summary>Managed: the operator acts. Unmanaged: it observes and decides nothing. Live.</summary>
    public ManagementState ManagementState { get; set; } = ManagementState.Managed;
}

/// <summary>Whether the operator acts on a job.</summary>
public enum ManagementState { Managed, Unmanaged }

/// <summary>A preset name, or custom sizes (layers, hiddenSize and heads are then required).</summary>
public sealed record ModelSpec
{
    /// <summary>opt-125m, opt-350m, opt-1.3b, opt-2.7b, opt-6.7b, opt-13b, opt-30b, opt-66b, opt-175b; also opt-8m and opt-760m. Immutable.</summary>
    public string? Preset { get; init; }

    /// <summary>Decoder blocks. Immutable.</summary>
    public int? Layers { get; init; }

    /// <summary>Model width. Immutable.</summary>
    public int? HiddenSize { get; init; }

    /// <summary>Attention heads; must divide hiddenSize. Immutable.</summary>
    public int? Heads { get; init; }

    /// <summary>Feed-forward width. Default: 4 x hiddenSize. Immutable.</summary>
    public int? FfnSize { get; init; }

    /// <summary>Rows of the token embedding. Default: 50272. Immutable.</summary>
    public int? VocabSize { get; init; }

    /// <summary>Longest sequence. Default: 2048. Immutable.</summary>
    public int? MaxPositions { get; init; }

    /// <summary>Dropout on sub-layer outputs. Default: 0.1. Relaunch.</summary>
    public double? Dropout { get; init; }

    /// <summary>Dropout on attention probabilities. Default: that of dropout. Relaunch.</summary>
    public double? AttentionDropout { get; init; }
}

/// <summary>Machines and how the model is split over them.</summary>
public sealed record TopologySpec
{
    /// <summary>Machines that train. Relaunch.</summary>
    public required int Nodes { get; init; }

    /// <summary>
    /// Fewest machines to run on. Where not all of nodes can be placed within 5 minutes (30 s when no missing pod has a machine), or failurePolicy.provisionDeadline if that is shorter, the job goes on
    /// with those it has, the batch unchanged and split over them, and grows back when the others are there. With acceleratorMemoryGiB so few that the state does not fit are refused. Default: nodes. Live.
    /// </summary>
    public int? MinNodes { get; init; }

    /// <summary>Workers, one per accelerator, on each machine. Immutable.</summary>
    public int AcceleratorsPerNode { get; set; } = 8;

    /// <summary>
    /// Memory of one accelerator in GiB. Where it is given, a job is refused whose weights, gradients and optimizer state alone do not fit on nodes, or on
    /// minNodes; "opt-trainer plan" tells what activations take besides. Default: not checked. Live.
    /// </summary>
    public int? AcceleratorMemoryGiB { get; init; }

    /// <summary>Warm machines that wait to replace a failed one. Live.</summary>
    public int SpareNodes { get; init; }

    /// <summary>Megatron tensor parallel degree; divides acceleratorsPerNode. Default: the preset's, at most acceleratorsPerNode. Immutable.</summary>
    public int? TensorParallel { get; init; }

    /// <summary>
    /// Data-parallel ranks that share one copy of the state (hybrid sharding): sharded within groups of so many neighbours, replicated across
    /// the groups. Divides the data-parallel size; a run on fewer machines where it does not shards over all. Default: all, full sharding. Relaunch.
    /// </summary>
    public int? DataParallelShard { get; init; }
}

/// <summary>Everything Kubernetes-shaped about the trainer pods.</summary>
public sealed record PodSpec
{
    /// <summary>The trainer image. Recreate.</summary>
    public required string Image { get; init; }

    /// <summary>Extended resource that stands for one accelerator; empty for none (CPU training). Recreate.</summary>
    public string AcceleratorResource { get; set; } = "nvidia.com/gpu";

    /// <summary>Where tensors live. auto: cuda when the library and a device are there, else cpu. Recreate.</summary>
    public DeviceKind Device { get; set; } = DeviceKind.Auto;

    /// <summary>How pods reach each other: the machine's network, RDMA. Default: the pod network. Recreate.</summary>
    public NetworkSpec? Network { get; init; }

    /// <summary>Queue, pod group and racks. Default: none, the cluster's scheduler. Recreate.</summary>
    public SchedulingSpec? Scheduling { get; init; }

    /// <summary>A partial PodTemplateSpec, merged (strategic merge) over the operator's own. The trainer container is named "trainer". Recreate.</summary>
    public JsonObject? Template { get; init; }
}

/// <summary>Where tensors live.</summary>
public enum DeviceKind { Auto, Cpu, Cuda }

/// <summary>Tokenised corpora, mounted in the pods through the pod template.</summary>
public sealed record DataSpec
{
    /// <summary>Folder in the pod that corpus paths are relative to.</summary>
    public string Root { get; set; } = "/data";

    /// <summary>Corpora to train on. Relaunch.</summary>
    public required EquatableList<CorpusSpec> Train { get; init; }

    /// <summary>Corpora to validate on, each reported by name. Relaunch.</summary>
    public EquatableList<CorpusSpec> Validation { get; set; } = [];

    /// <summary>Steps between validations; 0 for none. Relaunch.</summary>
    public int ValidateEverySteps { get; init; }

    /// <summary>shuffled: sample i is a pure function of (seed, corpora, i). sequential: file order, for parity checks. Immutable.</summary>
    public DataOrder Order { get; set; } = DataOrder.Shuffled;
}

/// <summary>The order of samples.</summary>
public enum DataOrder { Shuffled, Sequential }

/// <summary>One corpus: PATH.bin, PATH.idx and PATH.json.</summary>
public sealed record CorpusSpec
{
    /// <summary>Path without extension, relative to the data root.</summary>
    public required string Path { get; init; }

    /// <summary>Share of samples relative to the other corpora. Default: the corpus' own share of tokens.</summary>
    public double? Weight { get; init; }
}
