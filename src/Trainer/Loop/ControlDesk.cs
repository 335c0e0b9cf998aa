using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;

namespace Opt.Trainer.Loop;

/// <summary>
/// The control word of every attempt. Rank 0 decides (new live values, a save that is due or asked for, the end) and broadcasts; all ranks, rank 0
/// included, act on the word alone.
/// </summary>
internal sealed class ControlDesk
{
    private readonly TrainingRun _run;
    private readonly long _start;
    private int _saveRevision = -1;

    /// <param name="restoredStep">Step of the state at the start, which needs no saving.</param>
    public ControlDesk(TrainingRun run, long restoredStep)
    {
        _run = run;
        _start = run.Time.GetTimestamp();
        Turns = new(new(restoredStep, TimeSpan.Zero), run.Plan.Members.Count, run.Plan.NodeFailuresPerDay);
    }

    /// <summary>When to save.</summary>
    public SaveTurns Turns { get; }

    /// <summary>The word of the attempt about to start, and the values in force from now on.</summary>
    public (ControlWord Word, AppliedValues Applied) Next(RunCounters counters, AppliedValues applied, bool stopAgreed)
    {
        byte[] body = [];
        var words = new long[ControlWord.Words];
        if (_run.World.Mesh.Rank == 0) words = Decide(counters, applied, stopAgreed, out body).ToWords();
        _run.World.BroadcastFromFirst(words);
        var word = ControlWord.From(words);
        if (word.Epoch != _run.Plan.Epoch || word.Attempt != counters.Attempt + 1)
        {
            throw new TrainerException(WorkerExit.ControlDiverged, $"the control word is for epoch {word.Epoch}, attempt {word.Attempt}; this rank is at epoch {_run.Plan.Epoch}, attempt {counters.Attempt + 1}");
        }

        Note(word.Flags, new(counters.Step, _run.Time.GetElapsedTime(_start)));
        if (word.Revision == applied.Revision) return (word, applied);
        if (word.BodyLength == 0) return (word, applied with { Revision = (int)word.Revision });
        if (body.Length == 0) body = new byte[word.BodyLength];
        _run.World.BroadcastFromFirst(body);
        return (word, AppliedValues.FromBody(body, (int)word.Revision));
    }

    private void Note(ControlFlags flags, SavePoint now)
    {
        if (flags.HasFlag(ControlFlags.Save)) Turns.Begun(SaveKind.Store, now);
        if (flags.HasFlag(ControlFlags.SaveToMemory)) Turns.Begun(SaveKind.Memory, now);
    }

    private ControlWord Decide(RunCounters counters, AppliedValues applied, bool stopAgreed, out byte[] body)
    {
        body = [];
        var (revision, given, command) = (applied.Revision, applied, ControlCommand.None);
        // The operator repeats itself until a record shows what it asked for, and a step may take longer than that: everything that has arrived is taken, up to a command.
        while (command is ControlCommand.None && _run.Channel.TryTakeControl(out var request))
        {
            (revision, given, command) = (Math.Max(revision, request.Revision), given.With(request), Once(request));
        }

        if (!given.IsSame(applied)) body = given.ToBody();
        if (body.Length > 0 && revision == applied.Revision) revision++;   // a body always comes with a new revision
        return new(_run.Plan.Epoch, counters.Attempt + 1, revision, body.Length, Flags(counters, given, command, stopAgreed));
    }

    // The operator repeats a request until a record shows its revision: what has been asked for once is not asked for again.
    private ControlCommand Once(ControlRequest request)
    {
        if (request.Command is not ControlCommand.Checkpoint) return request.Command;
        if (request.Revision <= _saveRevision) return ControlCommand.None;
        _saveRevision = request.Revision;
        return ControlCommand.Checkpoint;
    }

    private ControlFlags Flags(RunCounters counters, AppliedValues given, ControlCommand command, bool stopAgreed)
    {
        if (counters.Step >= given.Values.TotalSteps) return FinalSave(counters) | ControlFlags.Finish;
        if (command == ControlCommand.Stop || stopAgreed) return ControlFlags.Finish | ControlFlags.OnRequest;
        if (command == ControlCommand.Drain) return FinalSave(counters) | ControlFlags.Finish | ControlFlags.OnRequest | (_run.Checkpoints is null ? ControlFlags.None : ControlFlags.Drained);
        if (command == ControlCommand.Checkpoint) Turns.Ask();
        return DueSave(new(counters.Step, _run.Time.GetElapsedTime(_start)), given.Checkpoint);
    }

    private ControlFlags DueSave(SavePoint now, CheckpointSpec spec) => _run.Checkpoints is not { } checkpoints ? ControlFlags.None : Turns.Next(now, spec, checkpoints.IsReady) switch
    {
        SaveKind.Store => ControlFlags.Save,
        SaveKind.Memory => ControlFlags.SaveToMemory,
        _ => ControlFlags.None,
    };

    // A save before the end must not be refused because another is under way: that one is waited for, while the other ranks wait for the word.
    private ControlFlags FinalSave(RunCounters counters)
    {
        if (_run.Checkpoints is null || Turns.IsSaved(counters.Step)) return ControlFlags.None;
        _run.Checkpoints.WaitUntilSavedAsync(_run.Channel.AgentLost).GetAwaiter().GetResult();
        return ControlFlags.Save;
    }
}
