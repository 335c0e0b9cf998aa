using System.Collections.Concurrent;
using System.Net;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Operator.Agents;
using Opt.Planning.Tests;
using Opt.Planning.Tests.World;

namespace Opt.Scenarios.World;

/// <summary>
/// The agents of all pods, their trainers and the checkpoint store, behind the operator's own client interface. Every second of virtual time, or as slowly as told, an
/// attempt ends wherever all members of a plan take part in it; every fifth step, or as the job says, is committed, unless a newer epoch fenced it off.
/// </summary>
internal sealed class ScriptedAgents(TimeProvider clock) : IAgentClient
{
    private readonly ConcurrentDictionary<string, SimulatedAgent> _byIp = new();
    private readonly ConcurrentDictionary<string, byte> _cut = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<long, List<StepRecord>> _records = [];
    private readonly List<(long Epoch, CheckpointSummary Checkpoint)> _commits = [];
    private readonly HashSet<long> _launched = [];
    private TaskCompletionSource _stepped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SavesUnderWay _saves = new();
    private long _fenced, _entry, _ticks;

    public string StoreOwner { get; set; } = "";

    /// <summary>The epoch that the store was fenced at last; 0 for a fresh one.</summary>
    public long FencedEpoch { get => _fenced; set => _fenced = value; }

    /// <summary>How long an agent takes to answer a fence, a plan or a control request.</summary>
    public TimeSpan Latency { get; set; }

    /// <summary>How long a step takes.</summary>
    public int SecondsPerStep { get; set; } = 1;

    /// <summary>Shapes what rank 0 reports.</summary>
    public Func<StepRecord, StepRecord> Shape { get; set; } = r => r;

    /// <summary>When an agent first received a plan of each epoch, and how many have.</summary>
    public ConcurrentDictionary<long, (DateTimeOffset Last, int Count)> Received { get; } = new();

    /// <summary>Why agents do not mark checkpoints; null while they do.</summary>
    public string? MarkRefusal { get; set; }

    /// <summary>How often a mark was asked for.</summary>
    public int Marks { get; private set; }

    /// <summary>Logbook entries that reached the store.</summary>
    public ConcurrentDictionary<string, LogbookEntry> Logbook { get; } = new();

    public IReadOnlyList<CheckpointSummary> Commits
    {
        get { lock (_gate) return [.. _commits.Select(c => c.Checkpoint)]; }
    }

    /// <summary>A save becomes visible a second after it was begun, unless a member is gone by then or a newer epoch fenced it off.</summary>
    public bool SavesTakeTime { get; set; }

    /// <summary>How many checkpoints the trainer keeps besides the last two healthy and those that are pinned; null for all.</summary>
    public int? KeepLast { get; set; }

    /// <summary>All checkpoints there ever were, and those that the trainer's own retention let go, as copies.</summary>
    public (IReadOnlyList<CheckpointSummary> Committed, IReadOnlyList<(CheckpointSummary Checkpoint, int NewerHealthy)> Retired, int Torn) History
    {
        get { lock (_gate) return ([.. _saves.Committed], [.. _saves.Retired], _saves.Torn); }
    }

    public IEnumerable<SimulatedAgent> All => _byIp.Values;

    public long CommittedStep
    {
        get { lock (_gate) return _commits.Count == 0 ? 0 : _commits[^1].Checkpoint.Step; }
    }

    /// <summary>Workers started since the beginning, one launch of an agent each: what an operator restart must not raise.</summary>
    public int Launches { get; private set; }

    public void Start(string ip, SimulatedAgent agent)
    {
        agent.CanTest = CanTest;
        Prepare(agent);
        _byIp[ip] = agent;
    }

    public void Stop(string ip) => _byIp.TryRemove(ip, out _);

    /// <summary>Machine and network of that address are gone, as seen from outside.</summary>
    public void Cut(string ip) => _cut[ip] = 0;

    public void Mend(string ip) => _cut.TryRemove(ip, out _);

    /// <summary>The agent's process ends, its workers with it, and another begins in the same pod.</summary>
    public void Restart(string ip, string instance)
    {
        if (_byIp.TryGetValue(ip, out var old)) _byIp[ip] = old.Successor(instance);
    }

    /// <summary>Step of the newest usable checkpoint behind each fence.</summary>
    public ConcurrentDictionary<long, long?> Behind { get; } = new();

    /// <summary>Addresses of agents that can be reached.</summary>
    public IReadOnlyList<string> Reachable => [.. _byIp.Keys.Where(ip => !_cut.ContainsKey(ip)).Order(StringComparer.Ordinal)];

    public SimulatedAgent At(string ip) => _byIp[ip];

    public SimulatedAgent Of(PlanMember member) => _byIp[member.PodIp];

    /// <summary>Retention lets the oldest checkpoint go that is not pinned.</summary>
    public void RetireOldest()
    {
        lock (_gate)
        {
            _commits.RemoveAt(_commits.FindIndex(c => !c.Checkpoint.Pinned));
            _entry++;
        }
    }

    /// <summary>One second of training.</summary>
    public void Tick()
    {
        lock (_gate)
        {
            var isDue = ++_ticks % SecondsPerStep == 0;
            var alive = _byIp.Where(a => !_cut.ContainsKey(a.Key)).ToDictionary(a => a.Value.PodUid, a => a.Value, StringComparer.Ordinal);
            if (_saves.Finished(alive, _fenced) is { } saved) Commit(saved.Epoch, saved.Step);
            foreach (var plan in alive.Values.Select(a => a.Plan).OfType<RunPlan>().GroupBy(p => p.Epoch).Select(g => g.First()).ToArray())
            {
                var members = plan.Members.Select(m => alive.GetValueOrDefault(m.PodUid) is { } a && a.Instance == m.AgentInstance && a.Plan?.Epoch == plan.Epoch ? a : null).ToArray();
                if (members.All(a => a is { State: AgentState.Launching or AgentState.Running, Stopped: false }))
                {
                    if (isDue) Advance(plan, [.. members.OfType<SimulatedAgent>()]);
                }
                else if (_launched.Contains(plan.Epoch) && members.Any(a => a is null or { State: AgentState.Failed })) foreach (var agent in members.OfType<SimulatedAgent>()) agent.Fail(WorkerExit.PeerLost, clock.GetUtcNow());
            }

            var stepped = _stepped;
            _stepped = new(TaskCreationOptions.RunContinuationsAsynchronously);
            stepped.TrySetResult();
        }
    }

    public Task<AgentStatus> GetStatusAsync(AgentTarget target, CancellationToken ct) => AskAsync(target, agent => agent.Status(clock.GetUtcNow()));

    public Task PutPlanAsync(AgentTarget target, RunPlan plan, CancellationToken ct) => AskAsync(target, agent =>
    {
        var news = agent.Plan is null || SimulatedAgent.IdOf(agent.Plan) != SimulatedAgent.IdOf(plan);
        if (!agent.Accept(plan)) throw new AgentException("refused", HttpStatusCode.Conflict);
        if (news) (Launches, Received[plan.Epoch]) = (Launches + 1, (clock.GetUtcNow(), Received.GetValueOrDefault(plan.Epoch).Count + 1));
        return true;
    });

    /// <summary>Whether agents can test their nodes, and how a test of the network of the named pods ends.</summary>
    public bool CanTest { get; set; } = true;

    /// <summary>Shapes agents that begin.</summary>
    public Action<SimulatedAgent> Prepare { get; set; } = _ => { };

    public Func<string, IReadOnlyList<string>, string?> NetworkFault { get; set; } = (_, _) => null;

    public Task<StacksReport> GetStacksAsync(AgentTarget target, CancellationToken ct) => AskAsync(target, agent => agent.Stacks());

    public Task PostDiagnosticsAsync(AgentTarget target, DiagnosticsRequest request, CancellationToken ct) => AskAsync(target, agent =>
        agent.Diagnose(request, clock.GetUtcNow(), others => NetworkFault(target.Pod, others)) ? true : throw new AgentException("busy", HttpStatusCode.Conflict));

    public Task PutControlAsync(AgentTarget target, ControlRequest request, CancellationToken ct) => AskAsync(target, agent =>
    {
        if (request.Epoch != agent.Epoch) throw new AgentException("another epoch", HttpStatusCode.Conflict);
        agent.Revision = Math.Max(agent.Revision, request.Revision);
        if (request.HyperParameters is not null) agent.Live = request.HyperParameters;
        if (request.Checkpoint is not null) agent.LiveCheckpoint = request.Checkpoint;
        if (request.Command is ControlCommand.Drain) agent.DrainRequested = true;
        if (request.Command is ControlCommand.Stop) agent.StopRequested = true;
        if (request.Command is ControlCommand.Checkpoint) agent.SaveRequested = true;
        return true;
    });

    public Task<Catalogue> PutFenceAsync(AgentTarget target, FenceRequest request, CancellationToken ct) => AskAsync(target, agent =>
    {
        if (StoreOwner.Length > 0 && StoreOwner != request.JobUid && !request.Adopt) throw new AgentException("the store is another job's", HttpStatusCode.Conflict);
        if (request.Epoch < _fenced || request.Epoch == _fenced && StoreOwner != request.JobUid || !agent.Fence(request.Epoch)) throw new AgentException("a higher epoch is fenced", HttpStatusCode.Conflict);
        (_fenced, StoreOwner, _entry) = (request.Epoch, request.JobUid, _entry + 1);
        for (var i = 0; i < _commits.Count && request.CondemnAfterStep is { } onset; i++)
        {
            if (_commits[i].Checkpoint.Step > onset) _commits[i] = (_commits[i].Epoch, _commits[i].Checkpoint with { Verdict = HealthVerdict.Condemned, Reason = request.CondemnReason });
        }

        Behind[request.Epoch] = _commits.Where(c => c.Checkpoint.Verdict is not HealthVerdict.Condemned).Select(c => (long?)c.Checkpoint.Step).LastOrDefault();
        return Read();
    });

    public Task<Catalogue> PutCheckpointAsync(AgentTarget target, CheckpointMark mark, CancellationToken ct) => AskAsync(target, _ =>
    {
        Marks++;
        if (MarkRefusal is { } refusal) throw new AgentException(refusal, HttpStatusCode.ServiceUnavailable);
        var at = _commits.FindIndex(c => c.Checkpoint.Entry == mark.Entry && c.Checkpoint.ManifestDigest == mark.ManifestDigest);
        if (at < 0) throw new AgentException("no such checkpoint", HttpStatusCode.NotFound);
        var checkpoint = _commits[at].Checkpoint with { Pinned = mark.Pinned ?? _commits[at].Checkpoint.Pinned };
        if (mark.Condemn is { } reason) checkpoint = checkpoint with { Verdict = HealthVerdict.Condemned, Reason = reason };
        _commits[at] = (_commits[at].Epoch, checkpoint);
        _entry++;
        return Read();
    });

    public Task PutLogbookAsync(AgentTarget target, LogbookRequest request, CancellationToken ct) => AskAsync(target, _ =>
    {
        foreach (var entry in request.Entries) Logbook.TryAdd($"{entry.Time:O} {entry.Actor} {entry.What}", entry);
        return true;
    });

    public Task<Catalogue> GetCatalogueAsync(AgentTarget target, CancellationToken ct) => AskAsync(target, _ => Read());

    public Task<ArchivePage> GetArchiveAsync(AgentTarget target, long epoch, int after, CancellationToken ct) => AskAsync(target, _ => new ArchivePage { Next = 1, Ended = true, Records = after > 0 ? [] : [.. _records.GetValueOrDefault(epoch) ?? []] });

    public Task<LogbookPage> GetLogbookAsync(AgentTarget target, CancellationToken ct) => AskAsync(target, _ => new LogbookPage { Total = Logbook.Count, Entries = [.. Logbook.Values.OrderBy(e => e.Time)] });

    public async Task<StepsPage> GetStepsAsync(AgentTarget target, long epoch, long after, TimeSpan wait, CancellationToken ct)
    {
        var agent = Find(target);
        var deadline = clock.GetUtcNow() + wait;
        while (true)
        {
            Task stepped;
            lock (_gate)
            {
                var records = _records.GetValueOrDefault(epoch) ?? [];
                if (records.Count > after || clock.GetUtcNow() >= deadline || agent.Epoch != epoch) return new() { Instance = agent.Instance, Epoch = agent.Epoch, Next = Math.Max(after, records.Count), Records = [.. records.Skip((int)after)] };
                stepped = _stepped.Task;
            }

            await stepped.WaitAsync(ct);
            Find(target);
        }
    }

    private async Task<T> AskAsync<T>(AgentTarget target, Func<SimulatedAgent, T> answer)
    {
        await Task.Yield();
        if (Latency > TimeSpan.Zero && typeof(T) != typeof(AgentStatus)) await Task.Delay(Latency, clock);
        lock (_gate) return answer(Find(target));
    }

    /// <summary>Whether agents take the token that comes with a request.</summary>
    public Func<AgentTarget, bool> Takes { get; set; } = _ => true;

    private SimulatedAgent Find(AgentTarget target)
    {
        if (!Takes(target)) throw new AgentException($"{target.Pod}: 401 the bearer token of the job is missing or wrong", System.Net.HttpStatusCode.Unauthorized);
        if (!_cut.ContainsKey(target.Ip) && _byIp.TryGetValue(target.Ip, out var agent) && agent.PodUid == target.PodUid) return agent;
        throw new AgentException($"{target.Pod}: connection refused");
    }

    private Catalogue Read() => new() { Entry = _entry, FencedEpoch = _fenced, JobUid = StoreOwner.Length == 0 ? null : StoreOwner, Checkpoints = [.. _commits.Select(c => c.Checkpoint)] };

    private void Advance(RunPlan plan, SimulatedAgent[] members)
    {
        if (_launched.Add(plan.Epoch)) _records[plan.Epoch] = [];
        var first = members[0];
        var from = first.LastStep?.Step ?? plan.Resume?.Step ?? 0;
        var step = from + 1;
        var live = first.Live ?? plan.Training.HyperParameters;
        if (first.StopRequested || from >= live.TotalSteps)   // what was saved at the end and launched once more has nothing left to do
        {
            foreach (var agent in members) agent.State = AgentState.Completed;
            return;
        }

        var (done, drained, save) = (step >= live.TotalSteps, first.DrainRequested, first.SaveRequested);
        first.SaveRequested = false;
        var saving = first.LiveCheckpoint ?? plan.Training.Checkpoint;
        long? committed = step % (saving.Every.Steps ?? 5) == 0 || done || drained || save ? step : null;
        var record = new StepRecord
        {
            Epoch = plan.Epoch, Revision = first.Revision, Attempt = step, Step = step, Samples = step, Tokens = 64 * step, Loss = 10.0 / step, LearningRate = live.PeakLearningRate, LossScale = 1, GradientNorm = 0.2, Skipped = false,
            Time = clock.GetUtcNow(), Seconds = SecondsPerStep, TokensPerSecond = 64.0 / SecondsPerStep, HyperParameters = live, Checkpointing = CheckpointSettings.Of(saving), CommittedStep = SavesTakeTime && !(done || drained) ? _saves.TakeOutcome(plan.Epoch) : committed,
        };
        record = Shape(record);
        for (var i = 0; i < _commits.Count; i++)
        {
            if (_commits[i].Checkpoint is { Verdict: HealthVerdict.Pending } pending && record.Loss is not null && step - pending.Step >= 5) (_commits[i], _entry) = ((_commits[i].Epoch, pending with { Verdict = HealthVerdict.Healthy, Reason = $"good steps up to {step}" }), _entry + 1);
        }

        if (committed is not null && plan.Epoch < _fenced)
        {
            foreach (var agent in members) agent.Fail(WorkerExit.Fenced, clock.GetUtcNow());
            return;
        }

        if (committed is not null && SavesTakeTime && !(done || drained)) _saves.Begin(plan.Epoch, step, members);
        else if (committed is not null) Commit(plan.Epoch, step);
        foreach (var agent in members) (agent.State, agent.LastAttempt) = (done || drained ? AgentState.Completed : AgentState.Running, step);
        first.LastStep = record;
        _records[plan.Epoch].Add(record);
    }

    private void Commit(long epoch, long step)
    {
        var checkpoint = Make.Checkpoint(step, ++_entry) with { Epoch = epoch, CommittedAt = clock.GetUtcNow() };
        _commits.Add((epoch, checkpoint));
        _saves.Committed.Add(checkpoint);
        while (KeepLast is { } kept && _commits.Count > kept)
        {
            var healthy = _commits.Where(c => c.Checkpoint.Verdict is HealthVerdict.Healthy).TakeLast(2).ToArray();
            var oldest = _commits.FindIndex(0, _commits.Count - 1, c => !c.Checkpoint.Pinned && !healthy.Contains(c));
            if (oldest < 0) break;
            var gone = _commits[oldest].Checkpoint;
            _saves.Retired.Add((gone, _commits.Count(c => c.Checkpoint.Entry > gone.Entry && c.Checkpoint.Verdict is HealthVerdict.Healthy)));
            _commits.RemoveAt(oldest);
            _entry++;
        }
    }
}
