using Opt.Api.Protocol;
using Opt.Planning;

namespace Opt.Replay;

/// <summary>How a machine arrives.</summary>
public enum Quality
{
    Sound,

    /// <summary>Its own health check finds the fault before it trains.</summary>
    FailsItsCheck,

    /// <summary>It passes, and fails within half an hour of training.</summary>
    FailsInUse,
}

/// <summary>The cluster as far as a job can tell: StatefulSet controller, scheduler, kubelets, node controller, and a provider that replaces machines.</summary>
public sealed class Cluster(Stages stages, Random random, string jobUid, int spares)
{
    private readonly List<(double At, Quality Quality, Machine? Replaces)> _deliveries = [];
    private int _next;

    public List<Machine> Machines { get; } = [];
    public List<Pod> Pods { get; } = [];
    public StatefulSetState? Set { get; set; }
    public int MachinesReplaced { get; private set; }

    public void Add(Quality quality = Quality.Sound)
    {
        var machine = new Machine($"machine-{_next++}") { Unhealthy = quality is Quality.FailsItsCheck };
        if (quality is Quality.FailsInUse) machine.FailsAfter = 60 + 1740 * random.NextDouble();
        Machines.Add(machine);
    }

    public bool IsReady(Machine machine, double now) => machine.Alive || now - machine.DeadSince < stages.NotReady;

    public static void Kill(Machine machine, double now)
    {
        if (machine.Alive) (machine.Alive, machine.DeadSince) = (false, now);
    }

    /// <summary>The provider takes everything away. After the outage there are as many sound machines as members, and 16 that fail their checks; spares follow two days later.</summary>
    public void DeleteAll(double now)
    {
        foreach (var machine in Machines) Kill(machine, now);
        _deliveries.Clear();
        for (var i = 0; i < Scene.Nodes + 16 + spares; i++) _deliveries.Add((now + stages.ClusterOutage + (i < Scene.Nodes + 16 ? 0 : 2 * 86400), i < 16 ? Quality.FailsItsCheck : Quality.Sound, null));
    }

    /// <summary>The provider takes a quarantined machine away when it delivers another for it.</summary>
    public void Replace(Machine machine, double now)
    {
        MachinesReplaced++;
        _deliveries.Add((now + stages.MachineReplacement, random.NextDouble() < History.BadReplacement ? Quality.FailsInUse : Quality.Sound, machine));
    }

    /// <summary>The next moment at which this moves by itself.</summary>
    public double NextChange => _deliveries.Count == 0 ? double.MaxValue : _deliveries.Min(d => d.At);

    public void Move(double now)
    {
        foreach (var (_, quality, replaces) in _deliveries.Where(d => d.At <= now).ToArray())
        {
            Add(quality);
            replaces?.Removed = true;
        }

        _deliveries.RemoveAll(d => d.At <= now);
        // The cloud's controller removes Node objects of machines that no longer exist; their pods are collected.
        foreach (var machine in Machines.Where(m => !m.Alive && !m.Removed && now - m.DeadSince > 300)) machine.Removed = true;
        Remove(p => p.Machine is { Removed: true } || (p.Terminating && p.Machine is not { Alive: false }));
        if (Set is null) return;
        foreach (var pod in Pods.Where(p => p.Ordinal >= Set.Replicas)) pod.Terminating = true;
        Recreate(now);
        Start(now);
    }

    public void Remove(Predicate<Pod> which)
    {
        foreach (var pod in Pods) pod.IsGone |= which(pod);
        Pods.RemoveAll(p => p.IsGone);
    }

    private void Recreate(double now)
    {
        if (Pods.Count >= Set!.Replicas) return;
        var present = Pods.Select(p => p.Ordinal).ToHashSet();
        for (var ordinal = 0; ordinal < Set.Replicas; ordinal++)
        {
            if (present.Contains(ordinal)) continue;
            var uid = $"pod-{ordinal}-{_next++}";
            Pods.Add(new() { Name = $"opt-{ordinal}", Uid = uid, Ordinal = ordinal, NextPoll = now, View = new() { Pod = $"opt-{ordinal}", PodUid = uid } });
        }

        Pods.Sort((a, b) => a.Ordinal.CompareTo(b.Ordinal));
    }

    private void Start(double now)
    {
        var waiting = Pods.Where(p => p.Agent is null && !p.Terminating).ToArray();
        if (waiting.Length == 0) return;
        var used = Pods.Select(p => p.Machine).ToHashSet();
        var free = new Queue<Machine>(Machines.Where(m => !m.Removed && m.Quarantine is null && IsReady(m, now) && !used.Contains(m)));
        foreach (var pod in waiting)
        {
            if (pod.Machine is null && free.TryDequeue(out var machine)) (pod.Machine, pod.ReadyAt) = (machine, now + (machine.Warm ? 15 : stages.PodStart));
            if (pod.Machine is not { Alive: true } || now < pod.ReadyAt) continue;
            pod.Machine.Warm = true;
            pod.Agent = new()
            {
                Instance = $"agent-{pod.Uid}", JobUid = jobUid, Pod = pod.Name, PodUid = pod.Uid, Node = pod.Machine.Name, State = AgentState.Idle, Store = new() { Reachable = true },
                Devices = [new() { Index = 0, Kind = "cuda", Healthy = !pod.Machine.Unhealthy, Detail = pod.Machine.Unhealthy ? "uncorrectable ECC errors" : null }],
            };
        }
    }
}
