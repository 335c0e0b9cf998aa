using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>Decisions of rungs in Shadow mode: a logbook entry and an event instead of the deed, once for each cause.</summary>
internal static class Shadow
{
    private const int Remembered = 32;

    /// <summary>Whether the rung in Shadow mode is the cheapest: nothing is left to do instead. What somebody wished for is done all the same, and so is what replaces a node.</summary>
    public static bool HoldsRelaunch(Situation s, Incident incident, bool replace) => s.Policy.RelaunchInPlace.Mode is PolicyMode.Shadow && incident.Severity is not Severity.Planned && !(replace && s.Policy.ReplaceNode.Mode is PolicyMode.Enforce);

    /// <summary>Leaves what stands still as it is. The incident is not remembered: should steps go on, there was none.</summary>
    public static Move Hold(Situation s, Incident incident)
    {
        var why = $"{incident.Message}; failurePolicy.relaunchInPlace.mode is Shadow: annotate {JobRequest.Prefix}relaunch with an id to go on";
        return (Recovery.Waiting(s, s.Seen.Memory with { Incident = null }, Accounts.Diagnose) with { Shadows = [new(incident.CauseId, $"would have relaunched epoch {incident.Epoch} in place", $"{incident.Reason}: {why}")] })
            .With(Fact.False(ConditionTypes.Running, incident.Reason, why)).WakeIn(TimeSpan.FromSeconds(5));
    }

    /// <summary>Turns what is new among the move's shadows into notes, and remembers their causes.</summary>
    public static Move Tell(Situation s, Move move)
    {
        var memory = s.Seen.Memory.Shadowed;
        var fresh = move.Shadows.Where(n => !memory.Contains(n.CauseId)).ToArray();
        // A new leader has no memory of it, but the status may have the entry.
        var untold = fresh.Where(n => (s.Job.Status?.Logbook ?? []).All(e => e.What != n.What || e.Epoch != s.Plan?.Epoch)).Select(n => new Note(n.What, n.Why));
        return move with { Notes = [.. move.Notes, .. untold], Memory = move.Memory with { Shadowed = [.. memory.Concat(fresh.Select(n => n.CauseId)).TakeLast(Remembered)] } };
    }
}
