using System.Text.Json.Serialization;

namespace Opt.Api.V1Alpha1;

/// <summary>
/// What to do when training goes wrong numerically: a trigger over step records, the actions to take together when it fires, and the
/// further rungs to climb when it fires again within the window.
/// </summary>
public sealed record DivergencePolicySpec
{
    /// <summary>Unique within the job; the logbook's actor is "policy NAME".</summary>
    public required string Name { get; init; }

    /// <summary>When the policy fires.</summary>
    public required DivergenceTriggerSpec When { get; init; }

    /// <summary>Actions of the first rung, taken together in one plan.</summary>
    public required EquatableList<InterventionSpec> Then { get; init; }

    /// <summary>Further rungs, each taken instead of the one before when the policy fires again within the window.</summary>
    public EquatableList<RungSpec> Escalation { get; set; } = [];

    /// <summary>Steps within which a further firing climbs a rung.</summary>
    public int WindowSteps { get; set; } = 2000;

    /// <summary>
    /// Numbers or hardware? Before it acts, the same data run again from the last healthy checkpoint with the same values; trouble that does
    /// not come back is a machine's, and no hyper-parameter moves. Default: act at once.
    /// </summary>
    public ReplaySpec? Replay { get; init; }

    /// <summary>How long the policy, and those after it in the list, stay silent after it fired.</summary>
    public CooldownSpec Cooldown { get; set; } = new();

    /// <summary>Firings in the life of the job; one more pauses the job and asks.</summary>
    public int Limit { get; set; } = 4;

    /// <summary>Steps without a firing after which what this policy changed returns to the spec's values. Default: never.</summary>
    public long? ReleaseAfterSteps { get; init; }

    /// <summary>Enforce: act. Shadow: record what would have been done.</summary>
    public PolicyMode Mode { get; set; } = PolicyMode.Enforce;
}

/// <summary>One rung of a ladder.</summary>
public sealed record RungSpec
{
    /// <summary>Actions of this rung, taken together in one plan.</summary>
    public required EquatableList<InterventionSpec> Then { get; init; }
}

/// <summary>Running the same data again before acting.</summary>
public sealed record ReplaySpec
{
    /// <summary>Replays in the life of the job; what fires after them is taken for numbers.</summary>
    public int Limit { get; set; } = 2;

    /// <summary>Attempts after the one that fired within which the trouble must come back; other machines round otherwise.</summary>
    public int Slack { get; set; } = 5;
}

/// <summary>How long a policy stays silent after it fired.</summary>
public sealed record CooldownSpec
{
    /// <summary>Attempts made since, counted over rollbacks.</summary>
    public int Steps { get; set; } = 50;
}

/// <summary>Whether a policy acts.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PolicyMode>))]
public enum PolicyMode { Enforce, Shadow }
