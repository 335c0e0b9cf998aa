using System.Text.Json;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning;

namespace Opt.Replay;

/// <summary>What is replayed.</summary>
/// <param name="Every">Checkpoint interval; null for the default, "auto".</param>
/// <param name="Memory">Checkpoints in the nodes' memory, with a copy at a partner; false for the store alone.</param>
/// <param name="Fewest"><c>topology.minNodes</c>: machines to go on with when there are no more; null for all.</param>
/// <param name="StepsPerPass">Steps between two passes of the operator while nothing happens; 1 as in reality, more to save time.</param>
public sealed record Scene(Stages Stages, int Spares, int? Fewest, int Seed = 1, double Rate = 1, int? Every = null, long Steps = 143_000, bool Memory = true, int StepsPerPass = 100)
{
    public const int Nodes = 124;

    /// <summary>The manifest that is replayed.</summary>
    public static OptTrainingJobSpec Example { get; } = Yaml.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "opt-175b.yaml")))[0].AsObject()["spec"].Deserialize(SpecJson.Default.OptTrainingJobSpec)!;
}

/// <summary>
/// One run of OPT-175B under the operator's planner, second by second where something happens and step by step where nothing does. The
/// planner is the shipped one; polling, deadlines and the order of actions are as in the operator; cluster and trainer are models.
/// </summary>
public sealed class Replay
{
    private static readonly DateTimeOffset Start = new(2021, 11, 19, 0, 0, 0, TimeSpan.Zero);
    private readonly Scene _scene;
    private readonly Random _random;
    private readonly Cluster _cluster;
    private readonly Training _training;
    private readonly Queue<Fault> _faults;
    private readonly List<StoredPlan> _plans = [];
    private OptTrainingJob _job;
    private PresentObjects _owned = new();
    private Memory _memory = new();
    private double _now;
    private double _wake;
    private double _changed;
    private long _launched;
    private readonly string _podDigest;

    public Replay(Scene scene)
    {
        (_scene, _random) = (scene, new(scene.Seed));
        _job = Job(scene);
        _podDigest = PodInputs.Digest(_job.Spec);
        // Draws of their own, so that a change in one place leaves the luck in others as it was.
        _cluster = new(scene.Stages, new(scene.Seed + 1000), _job.Metadata.Uid, scene.Spares);
        for (var i = 0; i < Scene.Nodes + scene.Spares; i++) _cluster.Add();
        _training = new(scene.Stages, scene.Memory, new(scene.Seed + 2000), _cluster, At);
        _faults = new(History.Draw(scene.Seed, days: 120, scene.Rate));
    }

    public Outcome Result { get; } = new();

    public OptTrainingJobStatus Status => _job.Status ?? new();

    public Outcome Run()
    {
        while (Status.Phase is not JobPhase.Succeeded)
        {
            _training.Move(_now);   // steps that ended before the fault did end
            Strike();
            _cluster.Move(_now);
            _training.Move(_now);
            var heard = Poll();
            if (heard || _now >= _wake) Pass();
            if (Status.Phase is JobPhase.Failed) Intervene();
            Advance();
            if (_now > 200 * 86400) throw new TimeoutException("the run does not end");
        }

        return Result.Close(Status, _now, _scene, _cluster.MachinesReplaced, _training.Intervals);
    }

    /// <summary>To the next moment that matters: the next step while all is well, else the next second (ten, when only machines are awaited).</summary>
    private void Advance()
    {
        if (_training.IsSteady(_now) && Status.Phase is JobPhase.Running && _cluster.Pods.All(p => p.Agent is not null || p.Machine is null))
        {
            var further = _training.IsShort ? 0 : Math.Min(_scene.StepsPerPass, _training.StepsLeft) - 1;
            var until = Math.Min(Math.Min(_training.NextStep + further * _scene.Stages.Step, _training.BreaksAt), Math.Min(_faults.TryPeek(out var fault) ? fault.At : double.MaxValue, _cluster.NextChange));
            _now = Math.Max(_now + 0.001, until);
            _wake = _now;
            return;
        }

        var idle = Status.Phase is JobPhase.Provisioning or JobPhase.Recovering && _cluster.Pods.All(p => p.Machine is null || p.Agent is not null || !p.Machine.Alive) && _cluster.NextChange > _now + 60 && _now - _changed > 120;
        _now = Math.Floor(_now) + (idle ? 30 : 1);
    }

    private void Strike()
    {
        while (_faults.TryPeek(out var fault) && fault.At <= _now)
        {
            _faults.Dequeue();
            _changed = _now;
            Result.Struck(fault);
            switch (fault.Kind)
            {
                case FaultKind.Cluster: _cluster.DeleteAll(_now); break;
                case FaultKind.FiveMachines: foreach (var pod in Busy().Take(5).ToArray()) Cluster.Kill(pod.Machine!, _now); break;
                default: One(fault); break;
            }
        }
    }

    private IEnumerable<Pod> Busy() => _cluster.Pods.Where(p => p.Answers && p.Machine!.Quarantine is null);

    private void One(Fault fault)
    {
        var busy = Busy().ToArray();
        if (busy.Length == 0) return;
        var pod = busy[(int)(fault.Draw * busy.Length)];
        switch (fault.Kind)
        {
            case FaultKind.Device:
                (pod.Machine!.FailsAfter, var seen) = (30, fault.Draw * 1000 % 1 < 0.5);
                _training.Fail(pod, WorkerExit.Device, _now, "CUDA error: uncorrectable ECC error encountered");
                if (seen) pod.Agent = pod.Agent! with { Devices = [new() { Index = 0, Kind = "cuda", Healthy = false, Detail = "uncorrectable ECC errors" }] };
                break;
            case FaultKind.Machine: Cluster.Kill(pod.Machine!, _now); break;
            case FaultKind.Hang:
                pod.Machine!.Hangs = fault.Draw * 1000 % 1 < 0.3;
                _training.Hang(pod.Machine.Hangs ? pod : null);
                break;
            default: _training.Fail(pod, WorkerExit.Internal, _now, "killed by signal 11"); break;
        }
    }

    /// <summary>The agents' answers reach the operator as its pollers ask: every second in a hurry and from rank 0, else every 5 to 10 s.</summary>
    private bool Poll()
    {
        var (heard, alarm) = (false, false);
        var hurry = Status.Phase is not JobPhase.Running;
        var first = _plans.Count == 0 ? null : _plans[^1].Plan.Members[0].PodUid;
        foreach (var pod in _cluster.Pods.Where(p => p.Agent is not null))
        {
            if (_now < pod.NextPoll && !(hurry && pod.NextPoll > _now + 1.25)) continue;
            pod.NextPoll = _now + (hurry || pod.Uid == first ? 0.75 + 0.5 * _random.NextDouble() : 5 + 5 * _random.NextDouble());
            var before = pod.View;
            var status = pod.Answers ? _training.StatusOf(pod) with { LastStep = pod.Uid == first ? _training.Newest : null } : null;
            if (status is null && before.SilentSince is null && _now - pod.Machine!.DeadSince < _scene.Stages.ConnectTimeout) continue;
            pod.View = status is null ? before with { SilentSince = before.SilentSince ?? At(_now), Error = "connection timed out" } : before with { Status = status, SilentSince = null, Error = null, Accepted = status.Epoch >= before.Accepted?.Epoch ? null : before.Accepted };
            alarm |= (status is null && before.SilentSince is null) || (status?.State is AgentState.Failed && before.Status?.State is not AgentState.Failed);
            heard |= alarm || before.Status?.State != pod.View.Status?.State || before.Status?.Epoch != pod.View.Status?.Epoch || before.Answers != pod.View.Answers;
        }

        if (alarm) foreach (var pod in _cluster.Pods) pod.NextPoll = Math.Min(pod.NextPoll, _now + 0.1);
        if (heard) _changed = _now;
        return heard || _training.Fresh.Count > 0;
    }

    private void Pass()
    {
        for (var round = 0; round < 8; round++)
        {
            var seen = Observe();
            var clock = TimeProvider.System;
            var started = clock.GetTimestamp();
            var decision = JobPlanner.Decide(_job, seen, At(_now));
            Result.Decided(clock.GetElapsedTime(started));
            _memory = decision.Memory;
            foreach (var action in decision.Actions) Execute(action);
            Result.Saw(_now, Status, decision.Status);
            _job = _job with { Status = decision.Status };
            _training.Fresh.RemoveAll(r => r.Time <= decision.Status.GoodputAsOf);
            _wake = _now + (decision.Again?.TotalSeconds ?? 30);
            if (!decision.Actions.Any(a => a is not (SendPlan or SendControl or RecordLogbook))) return;
        }
    }

    private Observation Observe()
    {
        var used = _cluster.Pods.Select(p => p.Machine).ToHashSet();
        return Seen([.. _cluster.Machines.Where(m => !m.Removed && (m.Quarantine is not null || used.Contains(m)))]);
    }

    private Observation Seen(Machine[] machines) => new()
    {
        Owned = _owned,
        StatefulSet = _cluster.Set,
        Pods = [.. _cluster.Pods.Select(p => new PodState { Name = p.Name, Uid = p.Uid, Ordinal = p.Ordinal, Node = p.Machine?.Name, Ip = p.Agent is null ? null : "10.0.0.1", Phase = p.Agent is null ? "Pending" : "Running", Revision = "1", Terminating = p.Terminating })],
        Nodes = [.. machines.Select(m => new NodeState { Name = m.Name, Uid = m.Name, Ready = _cluster.IsReady(m, _now), Quarantine = m.Quarantine, History = m.History })],
        Plans = [.. _plans],
        Agents = [.. _cluster.Pods.Where(p => p.Agent is not null).Select(p => p.View)],
        Steps = new() { Newest = _training.Newest, AdvancedAt = At(_training.AdvancedAt), MedianSeconds = _training.Newest is null ? 0 : _training.StepSeconds, New = [.. _training.Fresh], Committed = _training.Commits.Count == 0 ? null : _training.Commits[^1].Checkpoint },
        PodDigest = _podDigest,
        QuarantineRoom = new QuarantineBreaker().Room(_cluster.Machines.Count(m => !m.Removed), machines.Count(m => m.Quarantine is not null)),
        Memory = _memory,
    };

    private void Execute(PlannedAction action)
    {
        switch (action)
        {
            case CreateSecret: _owned = _owned with { Secret = true }; break;
            case ApplyService: _owned = _owned with { Service = true }; break;
            case ApplyDisruptionBudget: _owned = _owned with { DisruptionBudget = true }; break;
            case ApplyStatefulSet a: _cluster.Set = new() { Uid = "set", Replicas = a.Replicas, UpdateRevision = "1", PodDigest = a.PodDigest }; break;
            case ScaleStatefulSet a: _cluster.Set = _cluster.Set! with { Replicas = a.Replicas, Outcome = a.Outcome, Release = a.Release, CountersSince = a.CountersSince }; break;
            case FenceStore a: Fence(a); break;
            case CreatePlan a: Create(a.Plan); break;
            case SendPlan a: Send(a); break;
            case QuarantineNode a: Quarantine(a); break;
            case NoteOffences a: _cluster.Machines.First(m => m.Name == a.Node).History = a.History; break;
            case DeletePod a: Delete(a); break;
            case SendControl { Request.Command: ControlCommand.Drain }: _training.Drain(); break;
            case DeletePlan a: _plans.RemoveAll(p => p.Uid == a.Uid); break;
            case CollectStacks a: Collect(a); break;
            case RecordLogbook a: _memory = _memory.Recording(a.Entries); break;
            default: throw new NotSupportedException(action.ToString());
        }
    }

    private void Fence(FenceStore action)
    {
        _now += _scene.Stages.Fence;
        _training.FencedEpoch = action.Epoch;
        var pod = _cluster.Pods.First(p => p.Uid == action.PodUid);
        var answer = new FenceAnswer { Epoch = action.Epoch, Pod = action.Pod, At = At(_now) };
        if (!pod.Answers) { _memory = _memory with { Fence = answer with { Error = "connection timed out" } }; return; }
        pod.Agent = pod.Agent! with { Epoch = action.Epoch };
        _memory = _memory with { Fence = answer with { Catalogue = new() { Entry = 1, FencedEpoch = action.Epoch, JobUid = _job.Metadata.Uid, Checkpoints = _training.Catalogue } } };
    }

    /// <summary>Takes its time and finds nothing: who is behind is told by attempts alone here.</summary>
    private void Collect(CollectStacks action)
    {
        _now += _scene.Stages.Stacks;
        _memory = _memory with { Stacks = new(action.CauseId, [.. action.Pods.Select(p => new StackAnswer(p.PodUid, null, "not part of the model"))]) };
    }

    private void Create(RunPlan plan)
    {
        _plans.Add(new($"plan-{plan.Epoch}", $"plan-{plan.Epoch}", plan));
        Result.Losses.Launched(_now, plan.Cause);
    }

    private void Send(SendPlan action)
    {
        foreach (var pod in _cluster.Pods.Where(p => p.Answers && p.Plan != action.Plan && action.Pods.Contains(p.Name)))
        {
            pod.Plan = action.Plan;
            pod.Agent = pod.Agent! with { Epoch = action.Plan.Epoch, PlanDigest = action.Plan.Id.Digest, State = AgentState.Launching, Failure = null, LastAttempt = 0, LastStep = null };
            pod.View = pod.View with { Accepted = action.Plan.Id };
        }

        var all = action.Plan.Members.All(m => _cluster.Pods.Any(p => p.Uid == m.PodUid && p.Plan == action.Plan));
        if (!all || _launched >= action.Plan.Epoch) return;
        _launched = action.Plan.Epoch;
        _training.Launch(action.Plan, _now);
    }

    private void Quarantine(QuarantineNode action)
    {
        var machine = _cluster.Machines.First(m => m.Name == action.Node);
        machine.Quarantine = new() { Reason = action.Reason, JobUid = _job.Metadata.Uid, CauseId = action.CauseId, Since = At(_now) };
        _cluster.Replace(machine, _now);
    }

    private void Delete(DeletePod action)
    {
        if (_cluster.Pods.FirstOrDefault(p => p.Uid == action.Uid) is not { } pod) return;
        if (action.Now) _cluster.Remove(p => p == pod);
        else pod.Terminating = true;
    }

    /// <summary>A person was asked for: comes after an hour, looks, and edits the spec.</summary>
    private void Intervene()
    {
        Result.Asked(_now, Status);
        _now += 3600;
        _job = _job with { Metadata = _job.Metadata with { Generation = _job.Metadata.Generation + 1 } };
        _wake = _now;
    }

    private static DateTimeOffset At(double seconds) => Start + TimeSpan.FromSeconds(seconds);

    /// <summary>examples/opt-175b.yaml, but for what the scene changes.</summary>
    private static OptTrainingJob Job(Scene scene)
    {
        var spec = Scene.Example;
        var checkpoint = spec.Checkpoint with { Every = new() { Steps = scene.Every } };
        return new()
        {
            Metadata = new() { Name = "opt-175b", Namespace = "ml", Uid = "replay", Generation = 1 },
            Spec = spec with
            {
                Topology = spec.Topology with { MinNodes = scene.Fewest, SpareNodes = scene.Spares },
                Training = spec.Training with { TotalTokens = scene.Steps * 2031616 },
                Checkpoint = scene.Memory ? checkpoint : checkpoint with { Memory = null },
            },
        };
    }
}
