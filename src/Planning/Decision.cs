using Opt.Api;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>What to do about one job now, and what to say about it. Events follow from the change of status (<see cref="Announcements"/>).</summary>
public sealed record Decision
{
    /// <summary>In order; the first failure ends the pass.</summary>
    public EquatableList<PlannedAction> Actions { get; init; } = [];

    public required OptTrainingJobStatus Status { get; init; }

    /// <summary>Logbook entries that are new or have an outcome now, oldest first; the status may have no room for all.</summary>
    public EquatableList<LogbookEntry> Entries { get; init; } = [];

    public Memory Memory { get; init; } = new();

    /// <summary>Look again after this long, changed or not; null to wait for a change.</summary>
    public TimeSpan? Again { get; init; }
}

/// <summary>An event for people. <paramref name="Warning"/>: type Warning instead of Normal.</summary>
public sealed record Announcement(bool Warning, string Reason, string Message);
