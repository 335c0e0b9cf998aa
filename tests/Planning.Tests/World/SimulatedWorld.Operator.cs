using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Tests.World;

/// <content>The operator around the planner: what it sees, what its actions do, how it dies and comes back.</content>
internal sealed partial class SimulatedWorld
{
    /// <summary>The operator dies and another takes over: everything in memory is lost, the status as well if asked.</summary>
    public void RestartOperator(bool loseStatus = false)
    {
        (_memory, _advancedAt, _furthest) = (new(), Now, default);
        _silentSince.Clear();
        _evidence.Clear();
        (_records, _committed) = ([], null);
        if (loseStatus) Job = Job with { Status = null };
    }

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

    /// <summary>What the operator decides when it comes to after a stop: the world went on, and it has asked nobody since.</summary>
    public Decision DecideAfterStop(int seconds)
    {
        var stale = Observe();
        for (var i = 0; i < seconds; i++)
        {
            Now += TimeSpan.FromSeconds(1);
            MoveCluster();
            MoveTraining();
        }

        return JobPlanner.Decide(Job, stale, Now);
    }

    /// <summary>Stacks are asked for, and nothing comes of it.</summary>
    public bool LosesStacks { get; set; }

    private void Reconcile(int? dieAfter, bool beforeStatus)
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

                if (ApiServerAway && action is not (FenceStore or RecordLogbook or SendPlan or SendControl or StartDiagnostics or CollectStacks)) return;
                Execute(action);
                Done.Add(action);
            }

            if (beforeStatus)
            {
                RestartOperator();
                return;
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
            if (answers && pod.Agent is { LastAttempt: > 0, Plan: { } plan } agent && (plan.Epoch, agent.LastAttempt).CompareTo(_furthest) > 0) (_furthest, _advancedAt) = ((plan.Epoch, agent.LastAttempt), Now);
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
            Agents = [.. Pods.Where(p => p.Agent is not null).Select(p => new AgentView { Pod = p.Name, PodUid = p.Uid, Status = p.Agent!.Status(Now), AskedAt = Now, SilentSince = _silentSince.TryGetValue(p.Uid, out var since) ? since : null })],
            Steps = new() { Newest = Newest(), AdvancedAt = _advancedAt, MedianSeconds = 1, New = [.. _records], History = [.. _history], Committed = Committed() },
            PodDigest = PodInputs.Digest(Job.Spec),
            TemplateFaults = Set?.PodDigest == PodInputs.Digest(Job.Spec) ? [] : TemplateFaults,
            QuarantineRoom = QuarantineRoom,
            Rivals = Rivals,
            Memory = _memory,
        };
    }

    /// <summary>As of the last time that somebody could be asked.</summary>
    private CheckpointSummary? Committed()
    {
        if (Pods.Any(p => p.Agent is not null && !_silentSince.ContainsKey(p.Uid))) _committed = _commits.Select(c => c.Checkpoint).LastOrDefault(c => c.IsDurable) ?? _committed;
        return _committed;
    }

    private StepRecord? Newest() => Plan is null ? null : Agents.FirstOrDefault(a => a.PodUid == Plan.Members[0].PodUid)?.LastStep;

    private static PodState StateOf(SimulatedPod pod) => new()
    {
        Name = pod.Name, Uid = pod.Uid, Ordinal = pod.Ordinal, Node = pod.Node?.Name, Ip = pod.Agent is null ? null : "10.0.0.1",
        Phase = pod.Failed ? "Failed" : pod.Ended ? "Succeeded" : pod.Agent is null ? "Pending" : "Running", Revision = pod.Revision, Terminating = pod.Terminating,
        Disruption = pod.Disruption, GraceEnds = pod.TerminatingSince + TimeSpan.FromSeconds(120),
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
            case CollectStacks when LosesStacks: break;
            case CollectStacks a: _memory = _memory with { Stacks = new(a.CauseId, [.. a.Pods.Select(p => new StackAnswer(p.PodUid, Agents.FirstOrDefault(g => g.PodUid == p.PodUid)?.Stacks()))]) }; break;
            case CreatePlan a: Create(a.Plan, a.ParentStep); break;
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

    private void Create(RunPlan plan, long? parentStep)
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
        Plans.Add(new($"opt-plan-{plan.Epoch}-{plan.Revision}", $"plan-{plan.Epoch}-{plan.Revision}", plan, ParentStep: parentStep));
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
        Assert(!action.Now || pod.Node?.IsReady(Now) == false || (pod is { Unending: true, Node.Quarantine: not null } && Now - pod.TerminatingSince > TimeSpan.FromSeconds(120)), "no grace is skipped while the kubelet lives and can end the pod");
        if (action.Now) Pods.Remove(pod);
        else pod.Terminating = true;
    }
}
