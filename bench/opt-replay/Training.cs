using Opt.Api;
using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;

namespace Opt.Replay;

/// <summary>The workers of one epoch after another: launch stages, synchronous steps, asynchronous checkpoints.</summary>
public sealed class Training(Stages stages, bool memory, Random random, Cluster cluster, Func<double, DateTimeOffset> time)
{
    private RunPlan? _plan;
    private Pod[] _members = [];
    private double _stepsFrom, _restoresFrom, _next;
    private (long Step, double Ends)? _copy, _upload;
    private SaveTurns _turns = new(default, Scene.Nodes);
    private SavePoint _saved;
    private SaveCost _cost = new();
    private double _stall, _longer;
    private bool _stuck;
    private long _entries;
    private double _breaks = double.MaxValue;
    private bool _draining;
    private double _leaves = double.MaxValue;

    public List<StepRecord> Fresh { get; } = [];
    /// <summary>What was committed and is not forgotten, oldest first.</summary>
    public List<Copies> Commits { get; } = [];

    /// <summary>What an agent reports of the log: commits whose every part can still be read.</summary>
    public EquatableList<CheckpointSummary> Catalogue => [.. Commits.Where(c => c.IsComplete).Select(c => c.Checkpoint)];

    public StepRecord? Newest { get; private set; }
    public double AdvancedAt { get; private set; }
    public bool Ended { get; private set; } = true;
    public long FencedEpoch { get; set; }
    public List<double> Intervals { get; } = [];

    /// <summary>Steps advance and nothing is wrong yet.</summary>
    public bool IsSteady(double now) => !Ended && !_stuck && !_draining && _leaves == double.MaxValue && now >= _stepsFrom && _members.All(m => m.Answers);

    /// <summary>A step: fewer machines share the same batch.</summary>
    public double StepSeconds => stages.Step * Scene.Nodes / Math.Max(1, _members.Length);

    /// <summary>It runs on fewer machines than it wants.</summary>
    public bool IsShort => _members.Length < Scene.Nodes;

    public double NextStep => _next;

    public long StepsLeft => _plan!.Training.HyperParameters.TotalSteps - (Newest?.Step ?? _plan.Resume?.Step ?? 0);
    public double BreaksAt => _breaks;

    /// <summary>All members took the plan: workers start.</summary>
    public void Launch(RunPlan plan, double now)
    {
        (_plan, Ended, _stuck, _copy, _upload, _stall, _longer, Newest, _draining, _leaves) = (plan, false, false, null, null, 0, 0, null, false, double.MaxValue);
        _members = [.. plan.Members.Select(m => cluster.Pods.First(p => p.Uid == m.PodUid))];
        _restoresFrom = now + stages.StopWorkers + stages.StartWorkers + stages.Rendezvous;
        var stalled = random.NextDouble() < History.ReadStalls ? stages.ReadStall : 0;
        // Beside saves to memory the nodes have displaced the copies of an upload by the time it is done.
        var nearby = Commits.Find(c => c.Checkpoint == plan.Resume) is { IsNearby: true } found && !(memory && found.InStore);
        _stepsFrom = _restoresFrom + (plan.Resume is null ? 0 : nearby ? stages.RestoreNearby : stages.Restore + stalled);
        _next = _stepsFrom + StepSeconds;
        _saved = new(plan.Resume?.Step ?? 0, TimeSpan.Zero);
        (_turns, _cost) = (new(_saved, _members.Length, plan.NodeFailuresPerDay), new());
        var failing = _members.Where(m => m.Machine!.FailsAfter is not null).Select(m => m.Machine!.FailsAfter!.Value).DefaultIfEmpty(double.MaxValue).Min();
        _breaks = Math.Min(failing, _members.Any(m => m.Machine!.Hangs) ? 300 + 900 * random.NextDouble() : double.MaxValue);
        if (_breaks < double.MaxValue) _breaks += _stepsFrom;
        foreach (var pod in _members) pod.Agent = pod.Agent! with { State = AgentState.Launching, Failure = null, LastAttempt = 0, Workers = [new() { Rank = 0, State = WorkerState.Rendezvous }] };
    }

    public void Move(double now)
    {
        if (!Ended) Commit(now);
        if (Ended || _stuck) return;
        if (_members.Any(m => !m.Answers)) { Ended = true; return; }   // survivors wait in a collective, and say nothing
        if (now >= _restoresFrom) SetWorkers(now < _stepsFrom ? WorkerState.Restoring : WorkerState.Training);
        while (Math.Min(now, _breaks) >= _next && !Ended) Step();
        if (now >= _leaves && !Ended) Finish(Newest!.Step, _leaves);
        if (now >= _breaks && !Ended) Break(now);
    }

    /// <summary>A worker of that member ends; its peers wait.</summary>
    public void Fail(Pod pod, WorkerExit exit, double now, string message)
    {
        if (Ended || !_members.Contains(pod)) return;
        Ended = true;
        pod.Agent = pod.Agent! with { State = AgentState.Failed, Failure = new() { Rank = 8 * Array.IndexOf(_members, pod), Exit = exit, ExitCode = (int)exit, Message = message, At = time(now) } };
    }

    /// <summary>All ranks wait for one that never comes; with a culprit, that rank is one attempt behind.</summary>
    public void Hang(Pod? culprit)
    {
        if (Ended || _stuck) return;
        _stuck = true;
        var newest = Newest?.Attempt ?? 0;
        foreach (var pod in _members.Where(m => m.Agent is { State: AgentState.Running })) pod.Agent = pod.Agent! with { LastAttempt = pod == culprit ? Math.Max(0, newest - 1) : newest };
    }

    public Pod Member(double draw) => _members[(int)(draw * _members.Length)];

    private void Break(double now)
    {
        _breaks = double.MaxValue;
        if (_members.FirstOrDefault(m => m.Machine!.FailsAfter is not null) is { } bad) Fail(bad, WorkerExit.Device, now, "NCCL error on a new machine");
        else Hang(_members.FirstOrDefault(m => m.Machine!.Hangs));
    }

    private void Step()
    {
        var (seconds, ends) = (StepSeconds + _stall + _longer, _next);
        Commit(ends);
        var step = (Newest?.Step ?? _plan!.Resume?.Step ?? 0) + 1;
        var live = _plan!.Training.HyperParameters;
        Newest = new()
        {
            Epoch = _plan.Epoch, Revision = 0, Attempt = step, Step = step, Samples = step * 992, Tokens = step * 2031616, Loss = 2, LearningRate = 1e-4, LossScale = 1, Skipped = false,
            Time = time(ends), Seconds = seconds, TokensPerSecond = 2031616 / seconds, HyperParameters = live, Timing = new() { CheckpointStall = _stall },
        };
        Costs(seconds);
        (AdvancedAt, _stall, _longer) = (ends, 0, 0);
        Fresh.Add(Newest);
        if (step == 1 + (_plan.Resume?.Step ?? 0)) FirstStepDone();
        var done = step >= live.TotalSteps;
        if (done || _draining)
        {
            (_next, _leaves) = (double.MaxValue, Math.Max(ends, Math.Max(_copy?.Ends ?? 0, _upload?.Ends ?? 0)) + stages.Stall + stages.Copy + stages.Upload + stages.Fence);
            return;
        }

        Save(step, ends);
        _next = ends + StepSeconds + _stall + _longer;
    }

    /// <summary>After the step under way the workers save to the store, behind what is being uploaded, and leave.</summary>
    public void Drain() => _draining = !Ended;

    /// <summary>Saves when the trainer's own rules say so: to the nodes' memory, and less often to the store.</summary>
    private void Save(long step, double ends)
    {
        var now = new SavePoint(step, TimeSpan.FromSeconds(ends - _stepsFrom));
        if (_turns.Next(now, _plan!.Training.Checkpoint, kind => (kind is SaveKind.Memory ? _copy : _upload) is null) is not { } kind) return;
        _turns.Begun(kind, now);
        (_stall, _longer) = (stages.Stall, stages.Contention);
        var committed = ends + stages.Stall + stages.Copy + stages.Fence;   // a commit is some round trips to the store, as a fence is
        if (kind is SaveKind.Store) _upload = (step, committed + stages.Upload);
        else _copy = (step, committed + stages.CopyNearby);
        if ((kind is SaveKind.Memory) != memory) return;
        Intervals.Add((now.Elapsed - _saved.Elapsed).TotalSeconds);
        _saved = now;
    }

    /// <summary>What the trainer measures of its saves.</summary>
    private void Costs(double seconds)
    {
        var copied = _stall > 0 ? new SnapshotTime(TimeSpan.FromSeconds(_stall), TimeSpan.FromSeconds(stages.Copy)) : (SnapshotTime?)null;
        _cost.Note(TimeSpan.FromSeconds(seconds - _stall), copied);
        if (copied is not null) _turns.Costs(_cost.Value);
    }

    /// <summary>Saves are written while training goes on or hangs: what was complete by then is committed.</summary>
    private void Commit(double until)
    {
        if (_copy is { } copy && copy.Ends <= until) Commit(copy.Step, copy.Ends, inStore: false);
        if (_upload is not { } upload || upload.Ends > until) return;
        Commit(upload.Step, upload.Ends, inStore: true);
        _turns.Uploaded(TimeSpan.FromSeconds(stages.Upload));
    }

    private void Commit(long step, double now, bool inStore)
    {
        if (inStore) _upload = null;
        else _copy = null;
        if (_plan!.Epoch < FencedEpoch) return;
        if (Commits.FindIndex(c => c.Checkpoint.Step == step && c.Checkpoint.Epoch == _plan.Epoch) is >= 0 and var at)
        {
            Commits[at] = Commits[at] with { InStore = true };
            return;
        }

        Commits.Add(new(new()
        {
            Step = step, Attempt = step, Samples = step * 992, Tokens = step * 2031616, Epoch = _plan.Epoch, Entry = ++_entries, Path = $"step-{step}", ManifestDigest = $"digest-{_plan.Epoch}-{step}",
            Bytes = 2_100_000_000_000, CommittedAt = time(now),
        }, _members, inStore));
        Forget();
    }

    /// <summary>Kept: the two furthest on, which is what the nodes keep, and the newest four of the store.</summary>
    private void Forget()
    {
        var kept = Commits.OrderBy(c => (c.Checkpoint.Epoch, c.Checkpoint.Step)).TakeLast(2).Concat(Commits.Where(c => c.InStore).TakeLast(4)).ToHashSet();
        Commits.RemoveAll(c => !kept.Contains(c));
    }

    private void Finish(long step, double now)
    {
        Commit(step, now, inStore: true);
        Ended = true;
        foreach (var pod in _members) pod.Agent = pod.Agent! with { State = AgentState.Completed, LastAttempt = step, LastStep = Newest };
    }

    private void SetWorkers(WorkerState state)
    {
        foreach (var pod in _members.Where(p => p.Agent!.Workers[0].State != state)) pod.Agent = pod.Agent! with { Workers = [new() { Rank = 0, State = state }] };
    }

    private void FirstStepDone()
    {
        SetWorkers(WorkerState.Training);
        foreach (var pod in _members) pod.Agent = pod.Agent! with { State = AgentState.Running, LastAttempt = Newest!.Attempt };
    }

    /// <summary>Called when a poll reads an agent: every member that takes part has finished the newest attempt.</summary>
    public AgentStatus StatusOf(Pod pod)
    {
        var status = pod.Agent!;
        if (status.State is AgentState.Running && Newest is not null && !_stuck && status.LastAttempt != Newest.Attempt) pod.Agent = status = status with { LastAttempt = Newest.Attempt };
        return status;
    }
}
