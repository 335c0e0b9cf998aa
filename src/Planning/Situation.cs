using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Diagnostics;
using Opt.Planning.Divergence;

namespace Opt.Planning;

/// <summary>What follows from one observation without deciding anything: shared by all policies of a pass.</summary>
internal sealed class Situation
{
    private readonly Dictionary<string, PodState> _pods;
    private readonly Dictionary<string, AgentView> _agents;
    private readonly Dictionary<string, NodeState> _nodes;
    private readonly Dictionary<string, Member> _members;
    private readonly Lazy<Straggling.Found?> _straggler;
    private readonly Lazy<Slowness.Found?> _slow;
    private readonly Lazy<Dictionary<(DiagnosticsSet Set, string Environment), Dictionary<string, int>>> _bits;

    public Situation(OptTrainingJob job, Observation seen, DateTimeOffset now)
    {
        (Job, Seen, Now) = (job, seen, now);
        _bits = new(() => NodeFindings.TrainedBits(this));
        Desired = TrainingConfigResolver.Resolve(job.Spec);
        _pods = seen.Pods.ToDictionary(p => p.Name, StringComparer.Ordinal);
        _agents = seen.Agents.ToDictionary(a => a.PodUid, StringComparer.Ordinal);
        _nodes = seen.Nodes.ToDictionary(n => n.Name, StringComparer.Ordinal);
        Stored = seen.Plans.MaxBy(p => (p.Plan.Epoch, p.Plan.Revision));
        Plan = Stored?.Plan;
        Launched = Plan is null ? null : seen.Plans.Select(p => p.Plan).FirstOrDefault(p => p.Epoch == Plan.Epoch && p.Revision == 0) ?? Plan;
        Members = Plan is null ? [] : [.. Plan.Members.Select(MemberOf)];
        _members = Members.DistinctBy(m => m.Planned.PodUid).ToDictionary(m => m.Planned.PodUid, StringComparer.Ordinal);
        Able = [.. seen.Pods.Where(IsCandidate)];
        Candidates = Leaving.Prefer(this, Able);
        Judgement = Judgement.Of(this);
        (_straggler, _slow) = (new(() => Straggling.Find(this)), new(() => Slowness.Find(this)));
    }

    public OptTrainingJob Job { get; }
    public Observation Seen { get; }
    public DateTimeOffset Now { get; }

    /// <summary>What the spec asks for now, resolved.</summary>
    public TrainingConfig Desired { get; }

    /// <summary>The newest plan: highest epoch, highest revision.</summary>
    public RunPlan? Plan { get; }

    /// <summary>The same with where it lies and what it was decided under.</summary>
    public StoredPlan? Stored { get; }

    /// <summary>Revision 0 of that epoch: what the agents were told to run.</summary>
    public RunPlan? Launched { get; }

    public IReadOnlyList<Member> Members { get; }

    /// <summary>Pods whose agents can act, by ordinal.</summary>
    public IReadOnlyList<PodState> Able { get; }

    /// <summary>Of these, the pods that could be members of the next plan, by ordinal.</summary>
    public IReadOnlyList<PodState> Candidates { get; }

    /// <summary>What the divergence policies say of the newest step records.</summary>
    public Judgement Judgement { get; }

    /// <summary>The machine that holds all others up, if there is one.</summary>
    public Straggling.Found? Straggler => _straggler.Value;

    /// <summary>How much slower the run became as a whole, if it did.</summary>
    public Slowness.Found? Slow => _slow.Value;

    /// <summary>How many nodes ended the tests' training step in which bits.</summary>
    public IReadOnlyDictionary<(DiagnosticsSet Set, string Environment), Dictionary<string, int>> TrainedBits => _bits.Value;

    public int Nodes => Job.Spec.Topology.Nodes;

    /// <summary>Machines that suffice when there are no more.</summary>
    public int Fewest => Math.Min(Nodes, Job.Spec.Topology.MinNodes ?? Nodes);

    public int Replicas => Nodes + Job.Spec.Topology.SpareNodes;
    public FailurePolicySpec Policy => Job.Spec.FailurePolicy;
    public string Uid => Job.Metadata.Uid;

    /// <summary>The pods' priority, or the one they had when they were released.</summary>
    public int Priority => Seen.Pods.Count > 0 ? Seen.Pods.Max(p => p.Priority) : Seen.StatefulSet?.Release?.Priority ?? 0;

    /// <summary>Highest epoch heard of anywhere: agents know of fences whose plan was never written.</summary>
    public long HighestEpoch => Math.Max(Math.Max(Math.Max(Plan?.Epoch ?? 0, Job.Status?.Epoch ?? 0), Seen.Memory.Fence?.StoreEpoch ?? 0), Seen.Agents.Where(IsOurs).Select(a => a.Status!.Epoch).DefaultIfEmpty(0).Max());

    /// <summary>The newest answer to a fence that no plan has used yet.</summary>
    public FenceAnswer? Fence => Seen.Memory.Fence is { } fence && fence.Epoch > (Plan?.Epoch ?? 0) && fence.Epoch >= HighestEpoch ? fence : null;

    /// <summary>When attempts last advanced; the launch before the first, but never before this operator began to look.</summary>
    public DateTimeOffset AdvancedAt => Seen.Steps.AdvancedAt is not { } at || Launched is null ? Now : at > Launched.CreatedAt || Launched.CreatedAt > Now ? at : Launched.CreatedAt;

    public bool HasStepped => Seen.Steps.Newest?.Epoch == Plan?.Epoch && Plan is not null;

    /// <summary>
    /// For how long no attempt advanced, up to when rank 0's agent was asked last. While nobody asks nobody can tell: an operator that was stopped, or whose
    /// clock jumped, must not take its own absence for a hang.
    /// </summary>
    public TimeSpan Still => (Members.Count > 0 && Members[0].Agent?.AskedAt is { } asked && asked < Now ? asked : Now) - AdvancedAt;

    /// <summary>In synchronous training an attempt that advances proves every member alive: while this holds nobody is killed for silence.</summary>
    public bool Advances => HasStepped && Now - AdvancedAt <= Patience;

    public NodeState? NodeOf(PodState pod) => pod.Node is null ? null : _nodes.GetValueOrDefault(pod.Node);

    public AgentView? AgentOf(PodState pod) => _agents.GetValueOrDefault(pod.Uid);

    public NodeState? NodeNamed(string name) => _nodes.GetValueOrDefault(name);

    /// <summary>The rank block that the current plan gives to that pod; null when it gives none.</summary>
    public Member? MemberWith(string podUid) => _members.GetValueOrDefault(podUid);

    public PodState? PodNamed(string name) => _pods.GetValueOrDefault(name);

    /// <summary>A pod that may not train: its node is quarantined, whoever did that.</summary>
    public bool IsOnQuarantinedNode(PodState pod) => NodeOf(pod)?.Quarantine is not null;

    /// <summary>A pod whose node is taken out of service by somebody else, unless it was placed there in spite of that.</summary>
    public bool IsLeaving(PodState pod) => Policy.LeaveNode.Mode is PolicyMode.Enforce && IsDeparting(pod);

    /// <summary>The same whatever the mode.</summary>
    public bool IsDeparting(PodState pod) => NodeOf(pod) is { Departure: not null, Quarantine: null } node && Seen.Memory.Left.All(l => l.Node != node.Name || l.PodUid == pod.Uid);

    private TimeSpan Patience => TimeSpan.FromSeconds(Math.Max(5, 3 * Seen.Steps.MedianSeconds));

    private Member MemberOf(PlanMember planned, int index)
    {
        var pod = _pods.GetValueOrDefault(planned.Pod);
        if (pod?.Uid != planned.PodUid) pod = null;
        return new(index, planned, pod, _agents.GetValueOrDefault(planned.PodUid), _nodes.GetValueOrDefault(planned.Node));
    }

    private bool IsCandidate(PodState pod)
    {
        if (Seen.StatefulSet is not { IsObserved: true } set) return false;
        var fits = pod is { Phase: "Running", Terminating: false, Ip.Length: > 0, Node: not null } && pod.Ordinal < Replicas && pod.Revision == set.UpdateRevision;
        return fits && !IsOnQuarantinedNode(pod) && AgentOf(pod) is { Answers: true } agent && IsOurs(agent) && IsAble(agent.Status!) && Verification.IsCleared(this, pod);
    }

    private bool IsOurs(AgentView agent) => agent.Status is { } status && status.JobUid == Uid && status.PodUid == agent.PodUid;

    private static bool IsAble(AgentStatus status) => status.ProtocolVersions.Contains(RunPlan.CurrentProtocol) && status.Devices.All(d => d.Healthy);
}

/// <summary>One member of the current plan, with what is known of it now.</summary>
/// <param name="Index">Its rank block.</param>
/// <param name="Pod">The very pod the plan names; null when it is gone or another one has its name.</param>
internal sealed record Member(int Index, PlanMember Planned, PodState? Pod, AgentView? Agent, NodeState? Node)
{
    public AgentStatus? Status => Agent?.Status;

    /// <summary>True while the agent process that was asked is the one that answers.</summary>
    public bool IsSameAgent => Status is null || Status.Instance == Planned.AgentInstance;

    /// <summary>Its agent says that it runs (or has run) this epoch. One that only fenced for it still shows how the epoch before ended.</summary>
    public bool Runs(RunPlan plan) => Status is { } status && status.Epoch == plan.Epoch && IsSameAgent && status.PlanDigest is not null && (status.PlanEpoch ?? plan.Epoch) == plan.Epoch;
}
