using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>When rank 0 asks for the next save. Pure.</summary>
public static class SaveSchedule
{
    /// <summary>Shortest and longest interval that "auto" chooses.</summary>
    public static readonly TimeSpan AutoAtLeast = TimeSpan.FromMinutes(1), AutoAtMost = TimeSpan.FromMinutes(15);

    /// <summary>
    /// What "auto" is at least for the store while the nodes' memory holds checkpoints in between: the store is needed only when a node and its partner are lost
    /// together, or all are.
    /// </summary>
    public static readonly TimeSpan AutoBesideMemory = AutoAtMost;

    /// <summary>
    /// Mean time between failures of one node before anything is measured: two a day on 124 nodes, as OPT-175B's team saw.
    /// </summary>
    public static readonly TimeSpan NodeTimeBetweenFailures = TimeSpan.FromDays(62);

    /// <summary>True when a save is due after <paramref name="now"/>'s step; never twice at one step.</summary>
    public static bool IsDue(CheckpointInterval every, SavePoint last, SavePoint now, TimeSpan auto)
    {
        if (now.Step <= last.Step) return false;
        if (every.Steps is { } steps) return now.Step / steps > last.Step / steps;
        var interval = every.Minutes is { } minutes ? TimeSpan.FromMinutes(minutes) : auto;
        return now.Elapsed - last.Elapsed >= interval;
    }

    /// <summary>Mean time between failures of a job.</summary>
    /// <param name="nodeFailuresPerDay">As measured; null: <see cref="NodeTimeBetweenFailures"/>.</param>
    public static TimeSpan BetweenFailures(int nodes, double? nodeFailuresPerDay) =>
        (nodeFailuresPerDay is > 0 and { } perDay ? TimeSpan.FromDays(Math.Min(1 / perDay, 36500)) : NodeTimeBetweenFailures) / Math.Max(1, nodes);

    /// <summary>
    /// Young's interval sqrt(2 C M) for the cost C of a save and a mean time between failures M of the whole job (CACM 17(9), 1974), within
    /// the bounds of "auto", and not shorter than an upload takes.
    /// </summary>
    public static TimeSpan Auto(TimeSpan cost, TimeSpan upload, TimeSpan betweenFailures)
    {
        var young = TimeSpan.FromSeconds(Math.Sqrt(2 * cost.TotalSeconds * betweenFailures.TotalSeconds));
        var wanted = young > upload ? young : upload;
        return wanted < AutoAtLeast ? AutoAtLeast : wanted > AutoAtMost ? AutoAtMost : wanted;
    }
}

/// <summary>A step and the time since the worker started.</summary>
public readonly record struct SavePoint(long Step, TimeSpan Elapsed);
