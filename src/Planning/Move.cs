using Opt.Api;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>What one policy decided: the part of a <see cref="Decision"/> before status, events and ledger are worked out.</summary>
internal sealed record Move
{
    public required JobPhase Phase { get; init; }

    /// <summary>The ledger account that time goes to while this holds.</summary>
    public required string Account { get; init; }

    public EquatableList<PlannedAction> Actions { get; init; } = [];

    /// <summary>Conditions this policy knows about; the others stay as they are.</summary>
    public EquatableList<Fact> Facts { get; init; } = [];

    /// <summary>Logbook entries beyond those that follow from plans and quarantines.</summary>
    public EquatableList<Note> Notes { get; init; } = [];

    /// <summary>What would have been done if the rung were not in Shadow mode; told once for each cause.</summary>
    public EquatableList<ShadowNote> Shadows { get; init; } = [];

    public required Memory Memory { get; init; }

    /// <summary>Look again then, changed or not.</summary>
    public TimeSpan? Wake { get; init; }

    public Move With(params ReadOnlySpan<Fact> facts) => this with { Facts = [.. Facts, .. facts] };

    public Move First(params ReadOnlySpan<PlannedAction> actions) => this with { Actions = [.. actions, .. Actions] };

    public Move Then(params ReadOnlySpan<PlannedAction> actions) => this with { Actions = [.. Actions, .. actions] };

    public Move WakeIn(TimeSpan delay)
    {
        var least = TimeSpan.FromMilliseconds(100);
        delay = delay < least ? least : delay;
        return Wake is { } wake && wake < delay ? this : this with { Wake = delay };
    }
}

/// <summary>A condition to set; its times are worked out later.</summary>
internal sealed record Fact(string Type, string Status, string Reason, string Message = "")
{
    public static Fact True(string type, string reason, string message = "") => new(type, "True", reason, message);

    public static Fact False(string type, string reason, string message = "") => new(type, "False", reason, message);
}

/// <summary>A logbook entry before time, epoch and step are filled in.</summary>
internal sealed record Note(string What, string Why);

/// <summary>A decision that a rung in Shadow mode did not carry out.</summary>
internal sealed record ShadowNote(string CauseId, string What, string Why);

/// <summary>The condition types of a job. Positive names: True is what one hopes for, except Failed.</summary>
public static class ConditionTypes
{
    /// <summary>The spec is acted on; False lists its faults.</summary>
    public const string SpecValid = "SpecValid";

    /// <summary>The API server accepts the rendered pod template.</summary>
    public const string PodTemplateValid = "PodTemplateValid";

    /// <summary>Every member has a machine and a working agent.</summary>
    public const string MembersPlaced = "MembersPlaced";

    /// <summary>The checkpoint store answers and belongs to this job.</summary>
    public const string StoreReady = "StoreReady";

    /// <summary>Steps advance.</summary>
    public const string Running = "Running";

    /// <summary>All of the spec is in force, by the trainer's own word; False says what waits for what.</summary>
    public const string SpecInForce = "SpecInForce";

    /// <summary>Nodes can be quarantined; False in a single-namespace install.</summary>
    public const string NodeActionsAllowed = "NodeActionsAllowed";

    /// <summary>No member sits on a node that somebody takes out of service; False says which, and what is waited for.</summary>
    public const string NodesInService = "NodesInService";

    /// <summary>Steps take as long as they should; False names the machine that holds the others up, or says how much slower all became.</summary>
    public const string PaceNormal = "PaceNormal";

    /// <summary>Spares and checkpoint interval are as the measured failures advise; Unknown until enough is measured.</summary>
    public const string AdviceFollowed = "AdviceFollowed";

    /// <summary>What every rank reports in force is what the plan says, overrides included.</summary>
    public const string OverrideApplied = "OverrideApplied";

    /// <summary>Held for a human; the message says why and how to go on.</summary>
    public const string Paused = "Paused";

    public const string Suspended = "Suspended";
    public const string Succeeded = "Succeeded";
    public const string Failed = "Failed";

    public static readonly EquatableList<string> All = [SpecValid, PodTemplateValid, MembersPlaced, StoreReady, Running, SpecInForce, OverrideApplied, NodeActionsAllowed, NodesInService, PaceNormal, AdviceFollowed, Paused, Suspended, Succeeded, Failed];
}

/// <summary>The accounts of the goodput ledger.</summary>
public static class Accounts
{
    public const string Productive = "productive";
    public const string Provision = "provision";
    public const string Rendezvous = "rendezvous";
    public const string Restore = "restore";
    public const string Recompute = "recompute";
    public const string CheckpointStall = "checkpointStall";
    public const string Detect = "detect";
    public const string Diagnose = "diagnose";
    public const string Pause = "pause";

    public static readonly EquatableList<string> All = [Productive, Provision, Rendezvous, Restore, Recompute, CheckpointStall, Detect, Diagnose, Pause];
}
