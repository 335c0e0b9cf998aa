using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>How often to save and how many spares to keep, from what this job measured.</summary>
public static class Advice
{
    /// <summary>Time between failures of one machine before anything is measured: two a day on 124 machines, as OPT-175B's team saw.</summary>
    private const double PriorNodeDays = 62;

    /// <summary>Days until a failed machine is replaced; OPT-175B's team waited for hours.</summary>
    private const double ReplenishDays = 0.5;

    /// <summary>No shorter interval is advised, as "auto" chooses none: what goes on beside training is no stall, but costs something too.</summary>
    private static readonly TimeSpan Shortest = TimeSpan.FromMinutes(1);

    private static readonly string[] s_machine = [Reasons.NodeLost, Reasons.AgentSilent, Reasons.DeviceFailed, Reasons.PodFailed, Reasons.Hang, Reasons.DiagnosticsFailed, Reasons.Straggler];

    /// <param name="stall">Median seconds of a checkpoint stall; 0 while not measured.</param>
    public static AdviceStatus Of(RestartsStatus restarts, int nodes, TimeSpan age, double stall)
    {
        ArgumentNullException.ThrowIfNull(restarts);
        var all = Failures(restarts);
        var machines = restarts.ByCause.Where(c => s_machine.Contains(c.Cause)).Sum(c => c.Count);
        var perDay = Rate(all, nodes, age);
        return new()
        {
            Failures = all,
            FailuresPerDay = Significant(perDay),
            CheckpointStallSeconds = Math.Round(stall, 3),
            CheckpointEvery = stall > 0 ? Longer(TimeSpan.FromSeconds(Math.Round(Interval(stall, 86400 / perDay))), Shortest) : null,
            SpareNodes = Spares(ReplenishDays * Rate(machines, nodes, age)),
        };
    }

    /// <summary>Failures a day of one machine of this job, so far.</summary>
    internal static double NodeFailuresPerDay(Situation s) =>
        Significant(Rate(Failures(s.Job.Status?.Restarts ?? new()), s.Nodes, s.Now - (s.Job.Status?.StartTime ?? s.Now)) / s.Nodes);

    /// <summary>Daly's interval between checkpoints, all in seconds (FGCS 22, 2006, eq. 37).</summary>
    /// <param name="stall">What a checkpoint costs.</param>
    /// <param name="betweenFailures">Mean time between failures of the job.</param>
    public static double Interval(double stall, double betweenFailures)
    {
        if (stall >= 2 * betweenFailures) return betweenFailures;
        var share = stall / (2 * betweenFailures);
        return Math.Sqrt(2 * stall * betweenFailures) * (1 + Math.Sqrt(share) / 3 + share / 9) - stall;
    }

    /// <summary>The smallest number that a Poisson variable of this mean exceeds in at most one of 100 cases.</summary>
    public static int Spares(double mean)
    {
        var (term, sum, count) = (Math.Exp(-mean), Math.Exp(-mean), 0);
        while (sum < 0.99 && count < 512)
        {
            term *= mean / ++count;
            sum += term;
        }

        return count;
    }

    /// <summary>Whether the spec follows it; Unknown before three failures or the time in which one would be expected of a single machine.</summary>
    internal static Fact Followed(Situation s, AdviceStatus advice, TimeSpan age)
    {
        if (advice.Failures < 3 && age.TotalDays * s.Nodes < PriorNodeDays) return new(ConditionTypes.AdviceFollowed, "Unknown", "TooEarly", "too little has been measured");
        var spares = s.Job.Spec.Topology.SpareNodes;
        if (spares < advice.SpareNodes) return Fact.False(ConditionTypes.AdviceFollowed, "MoreSpares", FormattableString.Invariant($"{advice.FailuresPerDay} failures a day: {advice.SpareNodes} spare nodes would do, topology.spareNodes is {spares}"));
        if (advice.CheckpointEvery is not { } every || Given(s) is not { } given || (given < 2 * every && every < 2 * given)) return Fact.True(ConditionTypes.AdviceFollowed, "Followed");
        return Fact.False(ConditionTypes.AdviceFollowed, given > every ? "CheckpointMoreOften" : "CheckpointLessOften",
            FormattableString.Invariant($"{advice.FailuresPerDay} failures a day and stalls of {advice.CheckpointStallSeconds} s: a checkpoint every {every.TotalSeconds:0} s would lose the least, {(s.Job.Spec.Checkpoint.Memory is null ? "checkpoint.every" : "checkpoint.memory.every")} makes it {given.TotalSeconds:0} s"));
    }

    /// <summary>Median of the stalls in the newest records; 0 when there is none.</summary>
    internal static double Stall(Situation s) => Straggling.Median([.. s.Seen.Steps.History.Select(r => r.Timing.CheckpointStall).Where(t => t > 0)]);

    /// <summary>How often the spec saves: to the nodes' memory, where it does, since a failure costs what was done since then. Null for "auto".</summary>
    private static TimeSpan? Given(Situation s) => (s.Job.Spec.Checkpoint.Memory?.Every ?? s.Job.Spec.Checkpoint.Every) switch
    {
        { Minutes: { } minutes } => TimeSpan.FromMinutes(minutes),
        { Steps: { } steps } when s.Seen.Steps.MedianSeconds > 0 => TimeSpan.FromSeconds(steps * s.Seen.Steps.MedianSeconds),
        _ => null,
    };

    private static int Failures(RestartsStatus restarts) => restarts.ByCause.Where(c => !Reasons.Wanted.Contains(c.Cause)).Sum(c => c.Count);

    /// <summary>Failures of the job in a day; what is measured outweighs what is assumed as soon as there is more of it.</summary>
    private static double Rate(int failures, int nodes, TimeSpan age) => nodes * (failures + 1) / (nodes * age.TotalDays + PriorNodeDays);

    private static TimeSpan Longer(TimeSpan a, TimeSpan b) => a > b ? a : b;

    private static double Significant(double value) => double.Parse(value.ToString("G2", System.Globalization.CultureInfo.InvariantCulture), System.Globalization.CultureInfo.InvariantCulture);
}
