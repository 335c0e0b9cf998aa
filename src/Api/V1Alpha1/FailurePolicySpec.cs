using System.Text.Json.Serialization;

namespace Opt.Api.V1Alpha1;

/// <summary>Deadlines and budgets of the failure ladder.</summary>
public sealed record FailurePolicySpec
{
    /// <summary>Relaunches in the same pods before the suspected node is replaced.</summary>
    public BudgetSpec RelaunchInPlace { get; set; } = new() { Limit = 3, Window = TimeSpan.FromMinutes(30) };

    /// <summary>Nodes quarantined and replaced before the job stops and asks.</summary>
    public BudgetSpec ReplaceNode { get; set; } = new() { Limit = 24, Window = TimeSpan.FromDays(1) };

    /// <summary>No step for this many trailing median step times is a hang.</summary>
    public double HangFactor { get; set; } = 10;

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

    /// <summary>Relaunches in a row without a new committed step before the job stops and asks.</summary>
    public int NoProgressLimit { get; set; } = 8;
}

/// <summary>At most <see cref="Limit"/> uses within a sliding <see cref="Window"/>.</summary>
public sealed record BudgetSpec
{
    /// <summary>Most uses within the window; 0 forbids the action.</summary>
    public required int Limit { get; init; }

    /// <summary>Length of the sliding window.</summary>
    [JsonConverter(typeof(DurationConverter))]
    public required TimeSpan Window { get; init; }
}
