using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Rank 0's turns to save: which save is due, and what becomes of one that is due while another is being uploaded (checkpoint.upload.whenBusy). Every rank
/// notes the saves that are made, since any can be asked whether a step is saved. Has no clock: whoever asks says when it is.
/// </summary>
/// <param name="start">The state at the start, which needs no saving.</param>
/// <param name="nodes">Machines of the run, for the automatic interval.</param>
/// <param name="nodeFailuresPerDay">Failures a day of each, as measured; null when nobody says.</param>
internal sealed class SaveTurns(SavePoint start, int nodes, double? nodeFailuresPerDay = null)
{
    private readonly TimeSpan _betweenFailures = SaveSchedule.BetweenFailures(nodes, nodeFailuresPerDay);
    private SavePoint _lastSave = start, _lastTurn = start, _lastMemory = start;
    private TimeSpan _cost, _upload;   // nothing measured: the first save comes soon, and tells
    private bool _asked, _late;

    /// <summary>Saves that were left out because another was being uploaded.</summary>
    public int SkippedSaves { get; private set; }

    /// <summary>Saves that were made late because another was being uploaded.</summary>
    public int LateSaves { get; private set; }

    /// <summary>What a save costs training (<see cref="SaveCost"/>).</summary>
    public void Costs(TimeSpan cost) => _cost = cost;

    /// <summary>How long the last upload took.</summary>
    public void Uploaded(TimeSpan duration) => _upload = duration;

    /// <summary>A save is wanted as soon as it can be, whatever the interval.</summary>
    public void Ask() => _asked = true;

    /// <summary>The store's save of this step was begun.</summary>
    public bool IsSaved(long step) => _lastSave.Step == step;

    /// <summary>A save began. The store's does not stand for one in memory: it counts minutes later, when its upload is done.</summary>
    public void Begun(SaveKind kind, SavePoint now)
    {
        if (kind == SaveKind.Store) (_lastSave, _lastTurn, _asked, _late) = (now, now, false, false);
        else _lastMemory = now;
    }

    /// <summary>The save to make now; null for none.</summary>
    /// <param name="isReady">Whether no save of the kind is under way.</param>
    public SaveKind? Next(SavePoint now, CheckpointSpec spec, Func<SaveKind, bool> isReady)
    {
        _asked &= _lastSave.Step < now.Step;
        var auto = SaveSchedule.Auto(_cost, _upload, _betweenFailures);
        if (spec.Memory is not null && auto < SaveSchedule.AutoBesideMemory) auto = SaveSchedule.AutoBesideMemory;
        var due = SaveSchedule.IsDue(spec.Every, _lastTurn, now, auto);
        if ((due || _asked) && isReady(SaveKind.Store)) return SaveKind.Store;
        if (due) Postpone(spec.Upload?.WhenBusy ?? BusyUpload.Wait, now);
        // A copy in memory waits for no upload.
        var copy = spec.Memory is { } memory && SaveSchedule.IsDue(memory.Every, _lastMemory, now, SaveSchedule.Auto(_cost, TimeSpan.Zero, _betweenFailures)) && isReady(SaveKind.Memory);
        return copy ? SaveKind.Memory : null;
    }

    /// <summary>The last save is still being uploaded. One that was asked for waits for its turn in any case.</summary>
    private void Postpone(BusyUpload policy, SavePoint now)
    {
        if (policy == BusyUpload.Skip) (_lastTurn, SkippedSaves) = (now, SkippedSaves + 1);
        else if (!_late) (_late, LateSaves) = (true, LateSaves + 1);
    }
}
