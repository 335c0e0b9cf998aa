using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Tests.World;

/// <summary>
/// A cluster, its agents and a checkpoint store in a few hundred lines of plain state, moved second by second, with an operator around the
/// planner that can be killed between any two actions. What it checks along the way are the invariants.
/// </summary>
internal sealed class SimulatedWorld
{
    private readonly List<(long Epoch, CheckpointSummary Checkpoint)> _commits = [];
    private readonly Dictionary<string, DateTimeOffset> _silentSince = [];
    private readonly Dictionary<string, PodState> _evidence = [];
    private readonly HashSet<string> _knownCauses = [];
    private List<StepRecord> _records = [];
    private readonly List<StepRecord> _history = [];
    private Memory _memory = new();
    private DateTimeOffset _advancedAt;
    private (long, long) _furthest;
    private long _fencedEpoch;
    private int _next;
    private int _version;
    private PlannedAction[] _stale = [];
    private Observation? _frozen;

    public SimulatedWorld(OptTrainingJob job, int nodes)
    {
        Job = job;
        Nodes = [.. Enumerable.Range(0, nodes).Select(i => new SimulatedNode($"node-{i}"))];
        _advancedAt = Now;
    }

    public DateTimeOffset Now { get; private set; } = Make.Now;
    public OptTrainingJob Job { get; set; }
    public IReadOnlyList<SimulatedNode> Nodes { get; }
    public List<SimulatedPod> Pods { get; } = [];
    public List<StoredPlan> Plans { get; } = [];
    public StatefulSetState? Set { get; private set; }
    public PresentObjects Owned { get; private set; } = new();
    public List<PlannedAction> Done { get; } = [];

    /// <summary>The job outlived its end by its time to live.</summary>
    public bool IsDeleted { get; private set; }

    /// <summary>The logbook as the store holds it.</summary>
    public HashSet<string> Stored { get; } = [];

    /// <summary>Called with every plan before it is made; throws where an invariant of a test's own is broken.</summary>
    public Action<RunPlan> Watch { get; init; } = _ => { };

    public int CommitEvery { get; init; } = 5;

    /// <summary>From a machine for a pod to its agent.</summary>
    public TimeSpan PodStart { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How long the workers wait for their last save before they leave.</summary>
    public TimeSpan LastSave { get; init; }

    private (long Epoch, DateTimeOffset Ends)? _lastSave;

    public int QuarantineRoom { get; set; } = int.MaxValue;

    /// <summary>Other jobs that wait for machines while they hold some.</summary>
    public EquatableList<Rival> Rivals { get; set; } = [];

    /// <summary>The pods' template tolerates cordons, as a person may have written.</summary>
    public bool ToleratesCordons { get; init; }

    /// <summary>Whether the trainers can test their nodes.</summary>
    public bool CanTest { get; init; }

    /// <summary>Nodes whose network, or whose own tests, find a fault.</summary>
    public HashSet<string> BadNetwork { get; } = [];

    public HashSet<string> BadHardware { get; } = [];

    private string? NetworkFault(string pod, IEnumerable<string> others) =>
        Pods.Where(p => p.Name == pod || others.Contains(p.Name)).Any(p => p.Node is not null && BadNetwork.Contains(p.Node.Name)) ? "no answer" : null;

    /// <summary>Shapes what the trainer reports.</summary>
    public Func<StepRecord, StepRecord> Shape { get; set; } = r => r;

    /// <summary>Good steps after which a checkpoint is healthy; null for never.</summary>
    public int? HealthyAfter { get; init; }

    /// <summary>Checkpoints go to the nodes' memory alone.</summary>
    public bool CommitsToMemory { get; set; }

    public IReadOnlyList<CheckpointSummary> Commits => [.. _commits.Select(c => c.Checkpoint)];
    public EquatableList<string> TemplateFaults { get; set; } = [];
    public OptTrainingJobStatus Status => Job.Status ?? new();
    public RunPlan? Plan => Plans.Count == 0 ? null : Plans[^1].Plan;
    public IEnumerable<SimulatedAgent> Agents => Pods.Where(p => p.Node?.Alive == true).Select(p => p.Agent).OfType<SimulatedAgent>();
    public long Step => _commits.Count == 0 ? 0 : _commits[^1].Checkpoint.Step;

    /// <summary>The operator dies and another takes over: everything in memory is lost, the status as well if asked.</summary>
    public void RestartOperator(bool loseStatus = false)
    {
        (_memory, _advancedAt, _furthest) = (new(), Now, default);
        _silentSince.Clear();
        _evidence.Clear();
        _records = [];
        if (loseStatus) Job = Job with { Status = null };
    }

    /// <summary>Those agents cannot be reached by the operator, though they train on.</summary>
    public HashSet<string> Unreachable { get; } = [];

    /// <summary>The API server is away: nothing new is seen of the cluster, and no write gets through; agents can be reached.</summary>
    public bool ApiServerAway { get => _frozen is not null; set => _frozen = value ? _frozen ?? Observe() : null; }

    /// <summary>The clock of the operator jumps, as after a suspended virtual machine.</summary>
    public void JumpClock(TimeSpan by) => Now += by;

    /// <summary>The leader is paused between deciding and acting; another takes over.</summary>
    public void PauseLeader()
    {
        _stale = ApiServerAway ? [] : [.. JobPlanner.Decide(Job, Observe(), Now).Actions];
        RestartOperator();
    }

    /// <summary>The paused leader comes to and does what it had decided, not knowing that it was overtaken. Its first refused write ends it.</summary>
    public void ResumeOvertakenLeader()
    {
        var actions = _stale;
        _stale = [];
        if (ApiServerAway) return;
        foreach (var action in actions)
        {
            switch (action)
            {
                case ApplyStatefulSet or CreateSecret or ApplyService or ApplyDisruptionBudget: return;   // refused: they exist
                case CreatePlan a when Plans.Any(p => p.Plan.Epoch == a.Plan.Epoch && p.Plan.Revision == a.Plan.Revision): return;
                case CreatePlan a: Plans.Add(new($"opt-plan-{a.Plan.Epoch}-{a.Plan.Revision}", $"plan-{a.Plan.Epoch}-{a.Plan.Revision}", a.Plan)); break;
                case ScaleStatefulSet a when a.Version != Set?.ResourceVersion: return;
                case DeletePod a: Pods.FirstOrDefault(p => p.Uid == a.Uid)?.Terminating = true; break;
                default: Execute(action); break;
            }

            Plans.Sort((a, b) => (a.Plan.Epoch, a.Plan.Revision).CompareTo((b.Plan.Epoch, b.Plan.Revision)));
        }
    }

    /// <summary>One second: the world moves, then the operator makes a pass.</summary>
    /// <param name="dieAfter">Actions after which the operator dies in this pass; null to live.</param>
    public void Tick(int? dieAfter = null)
    {
        Now += TimeSpan.FromSeconds(1);
        MoveCluster();
        MoveTraining();
        Reconcile(dieAfter);
    }

    public void Run(int seconds)
    {
        for (var i = 0; i < seconds; i++) Tick();
    }

    /// <summary>Ticks until it holds; fails after the limit.</summary>
    public void RunUntil(Func<SimulatedWorld, bool> holds, int limit = 2000)
    {
        for (var i = 0; i < limit; i++)
        {
            if (holds(this)) return;
            Tick();
        }

        throw new TimeoutException($"not within {limit} s: phase {Status.Phase}, epoch {Status.Epoch}, {string.Join(" | ", Status.Conditions.Select(c => $"{c.Type}={c.Status} {c.Reason} {c.Message}"))}");
    }

    private void Reconcile(int? dieAfter)
    {
        var executed = 0;
        for (var round = 0; round < 8; round++)
        {
            var decision = JobPlanner.Decide(Job, Observe(), Now);
            _memory = decision.Memory;
            foreach (var action in decision.Actions)
            {
                if (dieAfter is { } limit && executed++ >= limit)
                {
                    RestartOperator();
                    return;
                }

                if (ApiServerAway && action is not (FenceStore or RecordLogbook or SendPlan or SendControl or StartDiagnostics)) return;
                Execute(action);
                Done.Add(action);
            }

            Job = Job with { Status = decision.Status };
            CheckStatus();
            if (!decision.Actions.Any(a => a is not (SendPlan or SendControl or RecordLogbook or StartDiagnostics))) return;
        }
    }

    private Observation Observe()
    {
        foreach (var pod in Pods.Where(p => p.Agent is not null))
        {
            var answers = pod is { Node.Alive: true, Failed: false, Ended: false } && !Unreachable.Contains(pod.Uid);
            if (answers) _silentSince.Remove(pod.Uid);
            else _silentSince.TryAdd(pod.Uid, Now);
            if (answers && (pod.Agent!.Epoch, pod.Agent.LastAttempt).CompareTo(_furthest) > 0 && pod.Agent.LastAttempt > 0) (_furthest, _advancedAt) = ((pod.Agent.Epoch, pod.Agent.LastAttempt), Now);
        }

        _records.RemoveAll(r => r.Time <= (Job.Status?.GoodputAsOf ?? DateTimeOffset.MinValue));
        var seen = Seen();
        return _frozen is null ? seen : _frozen with { Agents = seen.Agents, Steps = seen.Steps, Memory = seen.Memory };
    }

    private Observation Seen()
    {
        return new()
        {
            Owned = Owned,
            StatefulSet = Set,
            Pods = [.. Pods.OrderBy(p => p.Ordinal).Select(StateOf)],
            Evidence = [.. _evidence.Values],
            Nodes = [.. Nodes.Select(n => new NodeState { Name = n.Name, Uid = n.Uid, Ready = n.IsReady(Now), Quarantine = n.Quarantine, Departure = n.Quarantine is null ? n.Departure : null, History = n.History })],
            Plans = [.. Plans],
            Agents = [.. Pods.Where(p => p.Agent is not null).Select(p => new AgentView { Pod = p.Name, PodUid = p.Uid, Status = p.Agent!.Status(Now), SilentSince = _silentSince.TryGetValue(p.Uid, out var since) ? since : null })],
            Steps = new() { Newest = Newest(), AdvancedAt = _advancedAt, MedianSeconds = 1, New = [.. _records], History = [.. _history] },
            PodDigest = PodInputs.Digest(Job.Spec),
            TemplateFaults = Set?.PodDigest == PodInputs.Digest(Job.Spec) ? [] : TemplateFaults,
            QuarantineRoom = QuarantineRoom,
            Rivals = Rivals,
            Memory = _memory,
        };
    }

    private StepRecord? Newest() => Plan is null ? null : Agents.FirstOrDefault(a => a.PodUid == Plan.Members[0].PodUid)?.LastStep;

    private static PodState StateOf(SimulatedPod pod) => new()
    {
        Name = pod.Name, Uid = pod.Uid, Ordinal = pod.Ordinal, Node = pod.Node?.Name, Ip = pod.Agent is null ? null : "10.0.0.1",
        Phase = pod.Failed ? "Failed" : pod.Ended ? "Succeeded" : pod.Agent is null ? "Pending" : "Running", Revision = pod.Revision, Terminating = pod.Terminating,
    };

    private void Execute(PlannedAction action)
    {
        switch (action)
        {
            case CreateSecret: Owned = Owned with { Secret = true }; break;
            case ApplyService: Owned = Owned with { Service = true }; break;
            case ApplyDisruptionBudget: Owned = Owned with { DisruptionBudget = true }; break;
            case ApplyStatefulSet a:
                Assert(Pods.Count == 0, "a template is never written beside pods of another");
                Set = new() { Uid = "set", Replicas = a.Replicas, ResourceVersion = $"{++_version}", UpdateRevision = $"rev-{a.PodDigest[..6]}", PodDigest = a.PodDigest, CountersSince = Set?.CountersSince, Outcome = Set?.Outcome, Release = Set?.Release };
                break;
            case ScaleStatefulSet a: Set = Set! with { ResourceVersion = $"{++_version}", Replicas = a.Replicas, Outcome = a.Outcome, Release = a.Release, CountersSince = a.CountersSince }; break;
            case FenceStore a: Fence(a); break;
            case CreatePlan a: Create(a.Plan); break;
            case SendPlan a:
                foreach (var agent in Agents.Where(g => a.Plan.Members.Any(m => m.PodUid == g.PodUid && a.Pods.Contains(m.Pod)))) agent.Accept(a.Plan);
                break;
            case SendControl a: Control(a); break;
            case StartDiagnostics a: Agents.FirstOrDefault(g => g.PodUid == a.PodUid)?.Diagnose(a.Request, Now, others => NetworkFault(a.Pod, others)); break;
            case QuarantineNode a:
                var node = Nodes.Single(n => n.Name == a.Node);
                (node.Quarantine, node.History) = (new() { Reason = a.Reason, JobUid = Job.Metadata.Uid, CauseId = a.CauseId, Since = Now, Until = a.Until }, a.History);
                break;
            case NoteOffences a: Nodes.Single(n => n.Name == a.Node).History = a.History; break;
            case RecordLogbook a:
                Stored.UnionWith(a.Entries.Select(e => $"{e.Time:O} {e.Actor} {e.What}"));
                _memory = _memory.Recording(a.Entries);
                break;
            case DeletePod a: Delete(a); break;
            case DeleteJob: IsDeleted = true; break;
            case DeletePlan a: Plans.RemoveAll(p => p.Uid == a.Uid); break;
            default: throw new NotSupportedException(action.ToString());
        }
    }

    private void Fence(FenceStore action)
    {
        var agent = Agents.FirstOrDefault(a => a.PodUid == action.PodUid);
        var answer = new FenceAnswer { Epoch = action.Epoch, Pod = action.Pod, At = Now };
        if (agent is null || action.Epoch < _fencedEpoch || !agent.Fence(action.Epoch))
        {
            _memory = _memory with { Fence = answer with { Error = "refused", StoreEpoch = _fencedEpoch } };
            return;
        }

        _fencedEpoch = action.Epoch;
        if (action.Condemn is { } order)
        {
            for (var i = 0; i < _commits.Count; i++)
            {
                if (_commits[i].Checkpoint.Step > order.OnsetStep) _commits[i] = (_commits[i].Epoch, _commits[i].Checkpoint with { Verdict = HealthVerdict.Condemned });
            }
        }

        answer = answer with { CondemnedFor = action.Condemn?.CauseId };
        _memory = _memory with { Fence = answer with { Catalogue = new() { Entry = _commits.Count, FencedEpoch = _fencedEpoch, JobUid = Job.Metadata.Uid, Checkpoints = [.. _commits.Select(c => c.Checkpoint)] } } };
    }

    private void Create(RunPlan plan)
    {
        Assert(Plans.All(p => (p.Plan.Epoch, p.Plan.Revision).CompareTo((plan.Epoch, plan.Revision)) < 0), "epochs and revisions only rise");
        Assert(plan.Revision > 0 || plan.Epoch == _fencedEpoch, "a plan is made only behind its own fence");
        Assert(plan.Resume?.Step == (_commits.Count == 0 ? null : _commits[^1].Checkpoint.Step) || plan.DistrustedCheckpoints.Count > 0 || plan.Revision > 0 || Plan?.Rollback is not null || plan.Run != "1.0", "nothing that was committed is lost");
        Assert(_knownCauses.Add(plan.Cause.Id), $"at most one plan for the cause {plan.Cause.Id}");
        Assert(plan.Members.Select(m => m.PodUid).Distinct().Count() == plan.Members.Count, "a pod holds one rank block");
        foreach (var (member, rank) in (Plan?.Members ?? []).Select((m, i) => (m, i)))
        {
            var now = plan.Members.Select((m, i) => (m, i)).Where(m => m.m.PodUid == member.PodUid).Select(m => (int?)m.i).FirstOrDefault();
            Assert(now is null || now == rank || rank >= plan.Members.Count, "survivors keep their ranks");
        }

        foreach (var budget in new[] { Budgets.RelaunchInPlace, Budgets.ReplaceNode, Budgets.LeaveNode, Budgets.Straggler, Budgets.Slowdown })
        {
            var spec = Budgets.Spec(Job.Spec.FailurePolicy, budget);
            Assert(plan.Budgets.Count(u => u.Budget == budget && Now - u.At < spec.Window) <= spec.Limit, $"{budget} stays within its budget");
        }

        Watch(plan);
        Plans.Add(new($"opt-plan-{plan.Epoch}-{plan.Revision}", $"plan-{plan.Epoch}-{plan.Revision}", plan));
    }

    private void Control(SendControl action)
    {
        if (Agents.FirstOrDefault(a => a.PodUid == action.PodUid) is not { } agent || action.Request.Epoch != agent.Epoch) return;
        if (action.Request.Command is ControlCommand.Drain) agent.DrainRequested = true;
        if (action.Request.Command is ControlCommand.Stop) agent.StopRequested = true;
        if (action.Request.Command is ControlCommand.Checkpoint && action.Request.Revision > agent.Revision) agent.SaveRequested = true;
        agent.Revision = Math.Max(agent.Revision, action.Request.Revision);
    }

    private void Delete(DeletePod action)
    {
        if (Pods.FirstOrDefault(p => p.Name == action.Name && p.Uid == action.Uid) is not { } pod) return;
        Assert(pod.Node is { Quarantine: not null } or { Departure.IsClosed: true } || pod.Terminating, "only pods on quarantined nodes, and on those being drained, are deleted one by one");
        Assert(pod.Terminating || pod.Node?.Quarantine is not null || Plan?.Members.All(m => m.PodUid != pod.Uid) != false || _fencedEpoch > Plan.Epoch, "a member leaves a node that is drained only behind a fence");
        Assert(!action.Now || pod.Node?.IsReady(Now) == false, "no grace is skipped while the kubelet lives");
        if (action.Now) Pods.Remove(pod);
        else pod.Terminating = true;
    }

    /// <summary>StatefulSet controller, scheduler, kubelets.</summary>
    private void MoveCluster()
    {
        if (Set is null) return;
        foreach (var pod in Pods.Where(p => p.Failed || p.Ended)) _evidence.TryAdd(pod.Uid, StateOf(pod));
        foreach (var pod in Pods.Where(p => p.Failed || p.Ended || p.Ordinal >= Set.Replicas)) pod.Terminating = true;
        Pods.RemoveAll(p => p.Terminating && p.Node is not { Alive: false });
        for (var ordinal = 0; ordinal < Set.Replicas; ordinal++)
        {
            if (Pods.All(p => p.Ordinal != ordinal)) Pods.Add(new() { Name = $"opt-{ordinal}", Uid = $"pod-{ordinal}-{_next++}", Ordinal = ordinal, Revision = Set.UpdateRevision });
        }

        foreach (var pod in Pods.Where(p => p.Agent is null && !p.Terminating).OrderBy(p => p.Ordinal))
        {
            if (pod.Node is null && Nodes.FirstOrDefault(n => n.IsReady(Now) && n.Quarantine is null && (n.Departure is not { IsClosed: true } || ToleratesCordons) && Pods.All(p => p.Node != n)) is { } node) (pod.Node, pod.BoundAt) = (node, Now);
            else if (pod.Node is { Alive: true } && Now - pod.BoundAt >= PodStart) pod.Agent = NewAgent(pod);
        }
    }

    public SimulatedAgent NewAgent(SimulatedPod pod) => new(Job.Metadata.Uid, pod.Name, pod.Uid, pod.Node!.Name, $"instance-{_next++}") { CanTest = CanTest, TestFault = BadHardware.Contains(pod.Node.Name) ? "wrong digest" : null };

    /// <summary>Synchronous training: an attempt ends when every member takes part in it.</summary>
    private void MoveTraining()
    {
        foreach (var group in Agents.Where(a => a.Plan is not null && a.Plan.Epoch == a.Epoch || a.State is AgentState.Running).GroupBy(a => a.Plan!.Epoch))
        {
            var plan = group.First().Plan!;
            var members = plan.Members.Select(m => group.FirstOrDefault(a => a.PodUid == m.PodUid && a.Instance == m.AgentInstance)).ToArray();
            var working = members.All(a => a is { State: AgentState.Launching or AgentState.Running });
            if (!working)
            {
                foreach (var agent in members.OfType<SimulatedAgent>()) agent.Fail(WorkerExit.PeerLost, Now);
                continue;
            }

            if (members.Any(a => a!.Stopped) || Now - plan.CreatedAt < TimeSpan.FromSeconds(3)) continue;
            Advance(plan, [.. members.OfType<SimulatedAgent>()]);
        }
    }

    private void Advance(RunPlan plan, SimulatedAgent[] members)
    {
        var first = members[0];
        var from = first.LastStep?.Step ?? plan.Resume?.Step ?? 0;
        if (_lastSave is { } last && last.Epoch == plan.Epoch)
        {
            if (Now >= last.Ends) Leave(plan, from, members);
            return;
        }

        var step = from + 1;
        var live = Plans.Select(p => p.Plan).LastOrDefault(p => p.Epoch == plan.Epoch && p.Revision == first.Revision) ?? plan;
        var record = new StepRecord
        {
            Epoch = plan.Epoch, Revision = first.Revision, Attempt = step, Step = step, Samples = step, Tokens = 64 * step, Loss = 3, LearningRate = 1e-3, LossScale = 1, Skipped = false,
            Time = Now, Seconds = 1, TokensPerSecond = 64, HyperParameters = live.Training.HyperParameters,
            Checkpointing = CheckpointSettings.Of(live.Training.Checkpoint),
        };
        var paces = plan.Members.Select((m, i) => (Rank: i * plan.WorkersPerMember, Nodes.Single(n => n.Name == m.Node).Slow)).ToArray();
        var slowest = paces.MaxBy(p => p.Slow);
        record = record with { Seconds = slowest.Slow, Slowest = paces.Length < 2 ? null : new(slowest.Slow > 1 ? slowest.Rank : (int)(step % paces.Length), slowest.Slow, 1) };
        record = Shape(record);
        if (first.StopRequested)
        {
            foreach (var agent in members) agent.State = AgentState.Completed;
            return;
        }

        var done = step >= live.Training.HyperParameters.TotalSteps;
        var drained = first.DrainRequested;
        foreach (var agent in members) (agent.State, agent.LastAttempt) = (AgentState.Running, step);
        first.LastStep = record;
        if (plan.Epoch == Plan?.Epoch)
        {
            _records.Add(record);
            _history.RemoveAll(r => r.Attempt >= record.Attempt);
            _history.Add(record);
        }

        for (var i = 0; i < _commits.Count && HealthyAfter is { } after; i++)
        {
            if (_commits[i].Checkpoint is { Verdict: HealthVerdict.Pending } pending && record.Loss < 5 && step - pending.Step >= after) _commits[i] = (_commits[i].Epoch, pending with { Verdict = HealthVerdict.Healthy });
        }

        var save = first.SaveRequested;
        first.SaveRequested = false;
        if (!(done || drained))
        {
            if (step % CommitEvery == 0 || save) Commit(plan, step, members);
        }
        else if (LastSave == TimeSpan.Zero) Leave(plan, step, members);
        else _lastSave = (plan.Epoch, Now + LastSave);
    }

    private void Leave(RunPlan plan, long step, SimulatedAgent[] members)
    {
        foreach (var agent in members) agent.State = AgentState.Completed;
        Commit(plan, step, members);
    }

    private void Commit(RunPlan plan, long step, SimulatedAgent[] members)
    {
        if (plan.Epoch < _fencedEpoch)
        {
            foreach (var agent in members) agent.Fail(WorkerExit.Fenced, Now);
            return;
        }

        _commits.Add((plan.Epoch, Make.Checkpoint(step, _commits.Count + 1) with { Epoch = plan.Epoch, Tiers = CommitsToMemory ? [CheckpointTier.Node, CheckpointTier.Peer] : null }));
    }

    private void CheckStatus()
    {
        var status = Status;
        var total = status.Goodput.Sum(a => a.Seconds);
        if (status.StartTime is { } start && status.Phase is not (JobPhase.Succeeded or JobPhase.Failed)) Assert(Math.Abs(total - (status.GoodputAsOf!.Value - start).TotalSeconds) < 0.01, $"the ledger accounts for every second once: {total} of {(status.GoodputAsOf!.Value - start).TotalSeconds}");
        Assert(Math.Abs(status.Goodput.Where(a => a.Account != Accounts.Productive).Sum(a => a.Seconds) - status.LostTime.Sum(l => l.Seconds)) < 0.1, "every unproductive second has a cause");
        Assert(status.GoodputHistory.Count <= 36 && status.LostTime.Count <= 33, "what is kept of the past is bounded");
        Assert(status.Logbook.Count <= 20, "the logbook in status is bounded");
        Assert(status.Conditions.Select(c => c.Type).SequenceEqual(ConditionTypes.All), "every condition is always present");
    }

    private static void Assert(bool holds, string invariant)
    {
        if (!holds) throw new InvariantException(invariant);
    }
}

internal sealed class InvariantException(string invariant) : Exception($"Broken: {invariant}");
