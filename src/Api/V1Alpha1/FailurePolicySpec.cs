using System.Text.Json.Serialization;

namespace Opt.Api.V1Alpha1;

/// <summary>Deadlines and budgets of the failure ladder.</summary>
public sealed record FailurePolicySpec
{
    /// <summary>Relaunches in the same pods before the suspected node is replaced.</summary>
    public BudgetSpec RelaunchInPlace { get; set; } = new() { Limit = 3, Window = TimeSpan.FromMinutes(30) };

    /// <summary>Nodes quarantined and replaced before the job stops and asks.</summary>
    public BudgetSpec ReplaceNode { get; set; } = new() { Limit = 24, Window = TimeSpan.FromDays(1) };

    /// <summary>
    /// How long a node stays put aside, also when the job is gone: then label and cordon are removed, if it is ready. A node that was put aside before,
    /// by any job, stays twice as long each time, up to eight times.
    /// </summary>
    [JsonConverter(typeof(DurationConverter))]
    public TimeSpan QuarantineFor { get; set; } = TimeSpan.FromDays(3);

    /// <summary>
    /// Cordon: nothing new is placed on a node that is put aside, and what runs there beside this job goes on. NoExecute: it also gets a taint that evicts
    /// every pod that does not tolerate it, other tenants' included. The taint goes with the quarantine.
    /// </summary>
    public QuarantineEffect QuarantineEffect { get; set; } = QuarantineEffect.Cordon;

    /// <summary>Moving off nodes that somebody takes out of service, before they are drained.</summary>
    public LeaveNodeSpec LeaveNode { get; set; } = new();

    /// <summary>No step for this many trailing median step times is a hang.</summary>
    public double HangFactor { get; set; } = 6;

    /// <summary>A hang is never called earlier than this.</summary>
    [JsonConverter(typeof(DurationConverter))]
    public TimeSpan HangAtLeast { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>Longest time from plan to first step (rendezvous and restore).</summary>
    [JsonConverter(typeof(DurationConverter))]
    public TimeSpan LaunchDeadline { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>An agent that does not answer for this long, while no step advances, is lost.</summary>
    [JsonConverter(typeof(DurationConverter))]
    public TimeSpan AgentSilence { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>A job that cannot place all members by then releases its pods and backs off.</summary>
    [JsonConverter(typeof(DurationConverter))]
    public TimeSpan ProvisionDeadline { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>Going on with fewer machines, where topology.minNodes allows it.</summary>
    public ShrinkSpec Shrink { get; set; } = new();

    /// <summary>Replacing a machine that holds all others up.</summary>
    public StragglerSpec Straggler { get; set; } = new();

    /// <summary>Relaunching a run that became slow as a whole.</summary>
    public SlowdownSpec Slowdown { get; set; } = new();

    /// <summary>Relaunches in a row without a new committed step before the job stops and asks.</summary>
    public int NoProgressLimit { get; set; } = 8;

    /// <summary>Tests of nodes: before they join, of suspects, and of pairs when nobody stands out.</summary>
    public DiagnosticsPolicySpec Diagnostics { get; set; } = new();
}

/// <summary>Going on with fewer machines.</summary>
public sealed record ShrinkSpec
{
    /// <summary>Enforce: go on with the machines there are. Shadow: record that it would have been done, and wait for the others.</summary>
    public PolicyMode Mode { get; set; } = PolicyMode.Enforce;
}

/// <summary>What putting a node aside does to other pods.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<QuarantineEffect>))]
public enum QuarantineEffect
{
    /// <summary>Keeps new ones off.</summary>
    Cordon,

    /// <summary>Evicts those that are there as well.</summary>
    NoExecute,
}

/// <summary>When nodes are tested. Tests that a user asks for by annotation are made in any case.</summary>
public sealed record DiagnosticsPolicySpec
{
    /// <summary>Test nodes before they join a running job and after failures.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Test the nodes of the first launch too, before it.</summary>
    public bool FirstLaunch { get; init; }

    /// <summary>Longest time of one run of tests.</summary>
    [JsonConverter(typeof(DurationConverter))]
    public TimeSpan Deadline { get; set; } = TimeSpan.FromMinutes(2);
}

/// <summary>At most <see cref="Limit"/> uses within a sliding <see cref="Window"/>.</summary>
public sealed record BudgetSpec
{
    /// <summary>Most uses within the window; 0 forbids the action.</summary>
    public required int Limit { get; init; }

    /// <summary>Length of the sliding window.</summary>
    [JsonConverter(typeof(DurationConverter))]
    public required TimeSpan Window { get; init; }

    /// <summary>
    /// Enforce: act. Shadow: record and announce what would have been done, charge the budget as if it had been, and take the next cheaper
    /// action instead. relaunchInPlace has none cheaper: in Shadow what stands still is left as it is, until it goes on by itself or a person asks for a relaunch.
    /// </summary>
    public PolicyMode Mode { get; set; } = PolicyMode.Enforce;
}

/// <summary>
/// Nodes taken out of service: cordoned, tainted by an autoscaler that removes them, or with a cloud provider's notice of maintenance. A checkpoint
/// is saved, a spare takes over (or the pod comes back elsewhere), and the pod is deleted, so that a waiting drain goes on.
/// </summary>
public sealed record LeaveNodeSpec
{
    /// <summary>Most such moves within the window; 0 forbids them. When it is used up a drain waits.</summary>
    public int Limit { get; set; } = 24;

    /// <summary>Length of the sliding window.</summary>
    [JsonConverter(typeof(DurationConverter))]
    public TimeSpan Window { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Enforce: leave. Shadow: record what would have been done, and stay.</summary>
    public PolicyMode Mode { get; set; } = PolicyMode.Enforce;

    /// <summary>Without a spare, training goes on for so long before the node is left all the same. Machines with notice of removal are left at once.</summary>
    [JsonConverter(typeof(DurationConverter))]
    public TimeSpan WaitForSpare { get; set; } = TimeSpan.FromMinutes(10);
}
