using Opt.Api.V1Alpha1;

namespace Opt.Replay;

/// <summary>What came of one replay.</summary>
public sealed class Outcome
{
    private readonly List<double> _decisions = [];
    private (double At, JobPhase Phase) _open = (0, JobPhase.Pending);

    /// <summary>Stretches of one phase, for the picture.</summary>
    public List<(double From, double To, JobPhase Phase)> Phases { get; } = [];

    public List<Fault> Faults { get; } = [];

    /// <summary>What each cause cost.</summary>
    public Losses Losses { get; } = new();

    /// <summary>When a person had to come, and what for.</summary>
    public List<(double At, string Why)> Interventions { get; } = [];

    public OptTrainingJobStatus Status { get; private set; } = new();
    public double Seconds { get; private set; }

    /// <summary>Productive time by wall time: steps of the run, each once, by the wall clock.</summary>
    public double Ettr { get; private set; }

    /// <summary>The same without the hours in which the provider had taken all machines away.</summary>
    public double EttrWithMachines { get; private set; }

    public int MachinesReplaced { get; private set; }
    public double MeanInterval { get; private set; }
    public int Passes => _decisions.Count;

    public void Struck(Fault fault) => Faults.Add(fault);

    public void Decided(TimeSpan took) => _decisions.Add(took.TotalMicroseconds);

    public void Saw(double now, OptTrainingJobStatus before, OptTrainingJobStatus after)
    {
        Losses.Charged(before, after);
        if (before.Phase == after.Phase) return;
        Phases.Add((_open.At, now, _open.Phase));
        _open = (now, after.Phase);
    }

    public void Asked(double now, OptTrainingJobStatus status) => Interventions.Add((now, status.Conditions.First(c => c.Type == "Failed").Message));

    public Outcome Close(OptTrainingJobStatus status, double now, Scene scene, int replaced, IReadOnlyCollection<double> intervals)
    {
        Phases.Add((_open.At, now, _open.Phase));
        (Status, Seconds, MachinesReplaced) = (status, now, replaced);
        Ettr = scene.Steps * scene.Stages.Step / now;
        var outage = Faults.Any(f => f.Kind is FaultKind.Cluster) ? scene.Stages.ClusterOutage : 0;
        EttrWithMachines = scene.Steps * scene.Stages.Step / (now - outage);
        MeanInterval = intervals.Count == 0 ? 0 : intervals.Average();
        _decisions.Sort();
        return this;
    }

    /// <summary>Percent of the ledger that an account holds.</summary>
    public double Share(string account) => 100 * Status.Goodput.Where(a => a.Account == account).Sum(a => a.Seconds) / Status.Goodput.Sum(a => a.Seconds);

    /// <summary>Microseconds of a planner pass.</summary>
    public double Percentile(double share) => _decisions.Count == 0 ? 0 : _decisions[(int)Math.Min(_decisions.Count - 1, share * _decisions.Count)];
}
