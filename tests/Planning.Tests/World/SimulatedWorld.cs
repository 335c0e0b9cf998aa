using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Tests.World;

/// <summary>
/// A cluster, its agents and a checkpoint store in a few hundred lines of plain state, moved second by second, with an operator around the
/// planner that can be killed between any two actions. What it checks along the way are the invariants.
/// </summary>
internal sealed partial class SimulatedWorld
{
    private readonly List<(long Epoch, CheckpointSummary Checkpoint)> _commits = [];
    private CheckpointSummary? _committed;
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

    /// <summary>Those agents cannot be reached by the operator, though they train on.</summary>
    public HashSet<string> Unreachable { get; } = [];

    /// <summary>The API server is away: nothing new is seen of the cluster, and no write gets through; agents can be reached.</summary>
    public bool ApiServerAway { get => _frozen is not null; set => _frozen = value ? _frozen ?? Observe() : null; }

    /// <summary>The clock of the operator jumps, as after a suspended virtual machine.</summary>
    public void JumpClock(TimeSpan by) => Now += by;

    /// <summary>One second: the world moves, then the operator makes a pass.</summary>
    /// <param name="dieAfter">Actions after which the operator dies in this pass; null to live.</param>
    /// <param name="beforeStatus">It dies after all of them, before the status is written.</param>
    public void Tick(int? dieAfter = null, bool beforeStatus = false)
    {
        Now += TimeSpan.FromSeconds(1);
        MoveCluster();
        MoveTraining();
        Reconcile(dieAfter, beforeStatus);
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

    /// <summary>StatefulSet controller, scheduler, kubelets.</summary>
    private void MoveCluster()
    {
        if (Set is null) return;
        foreach (var pod in Pods.Where(p => p.Failed || p.Ended)) _evidence.TryAdd(pod.Uid, StateOf(pod));
        foreach (var pod in Pods.Where(p => p.Failed || p.Ended || p.Ordinal >= Set.Replicas)) pod.Terminating = true;
        foreach (var pod in Pods.Where(p => p.Terminating)) pod.TerminatingSince ??= Now;
        Pods.RemoveAll(p => p is { Terminating: true, Unending: false } && p.Node is not { Alive: false });
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

    private void CheckStatus()
    {
        var status = Status;
        var total = status.Goodput.Sum(a => a.Seconds);
        if (status.StartTime is { } start && status.Phase is not (JobPhase.Succeeded or JobPhase.Failed)) Assert(Math.Abs(total - (status.GoodputAsOf!.Value - start).TotalSeconds) < 0.01, $"the ledger accounts for every second once: {total} of {(status.GoodputAsOf!.Value - start).TotalSeconds}");
        Assert(Math.Abs(status.Goodput.Where(a => a.Account != Accounts.Productive).Sum(a => a.Seconds) - status.LostTime.Sum(l => l.Seconds)) < 0.1, "every unproductive second has a cause");
        foreach (var window in status.GoodputWindows)
        {
            var lost = window.Seconds * (1 - (window.Percent / 100));
            Assert(Math.Abs(lost - window.Accounts.Sum(a => a.Seconds)) < 0.5 + (1e-4 * window.Seconds) && Math.Abs(lost - window.Lost.Sum(l => l.Seconds)) < 0.5 + (1e-4 * window.Seconds), $"every unproductive second of the last {window.Window} has an account and a cause");
        }

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
