using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>Decisions of rungs in Shadow mode: a logbook entry and an event instead of the deed, once for each cause.</summary>
internal static class Shadow
{
    private const int Remembered = 32;

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
