using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Data;
using Opt.Trainer.Optimization;

namespace Opt.Trainer.Loop;

/// <summary>
/// The loop of one rank. An attempt: the control word, adopted by all ranks before anything else; forward and backward; agreement; the update
/// or its omission; the record. An attempt that overflowed consumes its samples but counts for nothing else.
/// </summary>
internal sealed class TrainingLoop
{
    /// <summary>Attempts in a row without a finite gradient after which a run without loss scaling gives up.</summary>
    private const int NonFiniteLimit = 100;

    private readonly TrainingRun _run;
    private readonly ControlDesk _desk;
    private readonly AttemptTimer _timer;
    private readonly RankWatch _ranks;
    private readonly SaveCost _saveCost = new();
    private readonly FaultHook _faults;
    private readonly string _lineage, _fingerprint, _environment;
    private AppliedValues _applied;
    private CheckpointSettings _checkpointing;
    private LossScaler _scaler;
    private RunCounters _counters;
    private EquatableList<RankOutlier> _outliers = [];
    private RankPace? _slowest;
    private SaveCounts _saves;
    private long _momentsFrom;
    private bool _stopAgreed;
    private int _nonFinite;
    private string? _unsaved;

    /// <param name="restored">State to go on from; null to start from initial weights.</param>
    public TrainingLoop(TrainingRun run, TrainingState? restored)
    {
        _run = run;
        _timer = new(run.Engine, run.World, run.Time);
        _applied = new(run.Config.HyperParameters, run.Config.Checkpoint, run.Plan.Revision);
        _checkpointing = CheckpointSettings.Of(_applied.Checkpoint);
        _fingerprint = RunIdentity.DataFingerprint(run.Config, run.Data);
        _environment = RunIdentity.EnvironmentHash(run.Config, run.World.Mesh, run.Device);
        var epoch = run.Plan.Epoch;
        _lineage = restored is null ? $"{epoch}" : $"{restored.Lineage}.{epoch}";
        _counters = restored is null ? default : new(restored.Attempt, restored.Step, restored.Samples, restored.Tokens);
        _scaler = run.Config.Precision != Precision.Fp16 ? LossScaler.None
            : restored?.Scaler is { } scaler ? LossScaler.FromState(scaler) : LossScaler.Start(_applied.Values);
        if (restored is not null) CorpusChecks.Unchanged(run.Data.Digests, restored.Corpora, $"the checkpoint of step {restored.Step}");
        if (restored is { DataFingerprint: not "" } && restored.DataFingerprint != _fingerprint) run.Log("the list of corpora or their weights changed since the checkpoint: its data cursor now points elsewhere");
        _momentsFrom = restored?.MomentsFrom ?? 0;
        _ranks = new(run.World.Mesh.WorldSize);
        _faults = FaultHook.FromEnvironment(run.World.Mesh.Rank);
        _desk = new(run, _counters.Step);
        // The checkpoint says which orders its state has obeyed; nothing else of its values counts.
        Obey(restored?.HyperParameters, _applied.Values);
    }

    /// <summary>Runs until the run is complete or ended on request.</summary>
    /// <exception cref="TrainerException">Why the run cannot go on.</exception>
    public WorkerExit Run()
    {
        while (true)
        {
            if (_run.Channel.AgentLost.IsCancellationRequested) throw new TrainerException(WorkerExit.AgentLost, "the agent is gone");
            _run.World.Flight?.Attempt(_counters.Attempt + 1);
            _run.World.Flight?.Enter("control");
            var (word, applied) = _desk.Next(_counters, _applied, _stopAgreed);
            Adopt(applied);
            if (_faults.Strike(_run.Engine.Storage)) _run.Engine.ParametersChanged();
            var begun = BeginSave(word.Flags);
            if (word.Flags.HasFlag(ControlFlags.Finish)) return Finish(word.Flags);
            Report(Attempt(begun));
        }
    }

    /// <returns>How long that took; null when nothing is to be saved.</returns>
    private TimeSpan? BeginSave(ControlFlags flags)
    {
        if ((flags & (ControlFlags.Save | ControlFlags.SaveToMemory)) == 0) return null;
        var start = _run.Time.GetTimestamp();
        _run.World.Flight?.Enter("save");
        // What several ranks hold must be the same before it is written down as one.
        CopiesCheck.Require(_run.World, _run.Engine.Storage, _counters.Step);
        _run.Checkpoints!.BeginSave(State(), flags.HasFlag(ControlFlags.Save) ? SaveKind.Store : SaveKind.Memory);
        return _run.Time.GetElapsedTime(start);
    }

    private WorkerExit Finish(ControlFlags flags)
    {
        _run.Checkpoints?.WaitUntilCopied();   // says so when it failed
        _run.Checkpoints?.WaitUntilSavedAsync(_run.Channel.AgentLost).GetAwaiter().GetResult();
        TakeOutcomes();
        if (flags.HasFlag(ControlFlags.Save) && _unsaved is { } error) throw new TrainerException(WorkerExit.Store, $"the last checkpoint was not saved: {error}");
        if (!flags.HasFlag(ControlFlags.OnRequest)) return WorkerExit.Success;
        return flags.HasFlag(ControlFlags.Drained) ? WorkerExit.Drained : WorkerExit.Stopped;
    }

    /// <param name="begun">How long it took to begin a save, whose copy goes on beside forward and backward; null when there is none.</param>
    private StepRecord Attempt(TimeSpan? begun)
    {
        _timer.Start();
        _run.World.Flight?.Enter("data");
        var config = _run.Config;
        var batch = BatchCursor.Read(_counters.Samples, config.BatchSequences, _run.Plan.SkipSamples).Ordered(_run.Plan.Shuffles);
        var tokens = (long)batch.Samples.Length * config.SequenceLength;
        var scale = GradientScale.Of(config.Precision == Precision.Fp16 ? _scaler.Scale : null, tokens, _run.World.Mesh.DataParallel);
        var sums = _run.Engine.Run(_run.Data, batch, scale.Seed);
        _run.AfterBackward?.Invoke(_counters.Attempt + 1, _run.Engine.Storage.Gradient);
        var agreed = Agree(sums);
        var norm = Math.Sqrt(agreed.SumOfSquares) * scale.Unscale;
        var rate = _applied.Values.LearningRateAt(_counters.Step);
        var copy = begun is null ? default : _run.Checkpoints!.WaitUntilCopied();   // the update changes what is copied
        var updating = _run.Time.GetTimestamp();
        if (!agreed.FoundInf) _run.Engine.Update(_applied.Values, _counters.Step, _momentsFrom, scale.Unscale * GradientClipping.Coefficient(norm, _applied.Values.GradientClip));
        var optimizer = _run.Time.GetElapsedTime(updating);
        var lossScale = _scaler.Scale;
        _counters = _counters.After(batch.Next, tokens, agreed.FoundInf);
        _scaler = _scaler.After(agreed.FoundInf, _applied.Values);
        _stopAgreed = agreed.StopRequested;
        GiveUpIfHopeless(agreed.FoundInf);
        var (seconds, timing) = _timer.Stop(optimizer, begun ?? TimeSpan.Zero, copy.Waited);
        _saveCost.Note(TimeSpan.FromSeconds(seconds - timing.CheckpointStall), begun is null ? null : copy with { Waited = copy.Waited + begun.Value });
        if (begun is not null) _desk.Turns.Costs(_saveCost.Value);
        return new()
        {
            Epoch = _run.Plan.Epoch,
            Revision = _applied.Revision,
            Lineage = _lineage,
            Attempt = _counters.Attempt,
            Step = _counters.Step,
            Samples = _counters.Samples,
            Tokens = _counters.Tokens,
            Loss = Finite(agreed.Loss / tokens),
            LearningRate = rate,
            LossScale = lossScale,
            GradientNorm = Finite(norm),
            ActivationNorm = Finite(agreed.ActivationNorm / tokens),
            Skipped = agreed.FoundInf,
            Outliers = _outliers,
            Slowest = _slowest,
            Validation = [.. Validate(agreed.FoundInf)],
            Time = _run.Time.GetUtcNow(),
            Seconds = seconds,
            Timing = timing,
            TokensPerSecond = tokens / seconds,
            HyperParameters = _applied.Values,
            Checkpointing = _checkpointing,
            CommittedStep = TakeOutcomes(),
            Saves = _run.Checkpoints is null ? null : _saves with { Skipped = _desk.Turns.SkippedSaves, Late = _desk.Turns.LateSaves },
        };
    }

    private Agreed Agree(RankSums sums)
    {
        _run.World.Flight?.Enter("agreement");
        var (squares, finite) = _run.Engine.Storage.GradientSquares();
        var found = !finite || !double.IsFinite(sums.Loss);
        var counts = _run.World.Mesh.TensorRank == 0 ? 1 : 0;
        var own = new RankNumbers(Math.Sqrt(_run.Engine.Storage.WeightSumOfSquares()), Math.Sqrt(squares), sums.Loss, _timer.Worked());
        // With hybrid sharding every copy of the state holds the same gradient: it counts once.
        double[] values = [sums.Loss * counts, _run.World.Mesh.Replica == 0 ? squares : 0, sums.ActivationNorm * counts, .. _ranks.Place(_run.World.Mesh.Rank, own)];
        var agreed = Agreement.Reach(_run.World, _applied, _counters.Attempt, found, _run.StopRequested(), values);
        _outliers = _ranks.Observe(values.AsSpan(3));
        _slowest = _ranks.Slowest(values.AsSpan(3));
        return agreed;
    }

    private void Adopt(AppliedValues applied)
    {
        Obey(_applied.Values, applied.Values);
        if (applied.Checkpoint != _applied.Checkpoint)
        {
            _run.Checkpoints?.Adopt(applied.Checkpoint);
            _checkpointing = CheckpointSettings.Of(applied.Checkpoint);
        }

        _applied = applied;
    }

    /// <summary>Orders that are obeyed once: when the values that carry them come into force over values that do not.</summary>
    private void Obey(HyperParameters? before, HyperParameters now)
    {
        if (now.LossScaleReset is { } reset && reset != before?.LossScaleReset) _scaler = _scaler.Reset(reset.Scale);
        if (now.OptimizerReset is null || now.OptimizerReset == before?.OptimizerReset) return;
        _run.Engine.Storage.ForgetMoments();
        _momentsFrom = _counters.Step;
    }

    private IReadOnlyList<ValidationLoss> Validate(bool skipped)
    {
        var every = _run.Config.Data.ValidateEverySteps;
        if (every == 0 || skipped || _counters.Step % every != 0) return [];
        _run.World.Flight?.Enter("validation");
        return _run.Validation.Run(_run.Engine.Schedule, _run.World, _run.Device);
    }

    // The same on every rank, since all agreed on each overflow: they end together.
    private void GiveUpIfHopeless(bool foundInf)
    {
        _nonFinite = foundInf ? _nonFinite + 1 : 0;
        if (_scaler.GivesUp) throw new TrainerException(WorkerExit.Numerical, $"{LossScaler.AbortAfter} overflows in a row at the lowest loss scale, {_scaler.Scale}");
        if (ReferenceEquals(_scaler, LossScaler.None) && _nonFinite >= NonFiniteLimit) throw new TrainerException(WorkerExit.Numerical, $"the gradient was not finite in {NonFiniteLimit} attempts in a row");
    }

    private void Report(StepRecord record)
    {
        if (_run.World.Mesh.Rank != 0)
        {
            _run.Channel.ReportAttempt(record.Attempt);
            return;
        }

        _run.Checkpoints?.Observe(record);
        _run.Channel.ReportStep(record);
    }

    private long? TakeOutcomes()
    {
        long? committed = null;
        while (_run.Checkpoints?.TryTakeOutcome(out var outcome) == true)
        {
            if (outcome.Kind == SaveKind.Store) _unsaved = outcome.Error;
            _saves = _saves with
            {
                Committed = _saves.Committed + (outcome is { Committed: true, Kind: SaveKind.Store } ? 1 : 0),
                InMemory = _saves.InMemory + (outcome is { Committed: true, Kind: SaveKind.Memory } ? 1 : 0),
                Failed = _saves.Failed + (outcome.Committed ? 0 : 1),
            };
            if (outcome is { Committed: true, Kind: SaveKind.Store })
            {
                committed = outcome.Step;
                _desk.Turns.Uploaded(outcome.Duration);
            }
            else if (!outcome.Committed)
            {
                _run.Log($"checkpoint of step {outcome.Step} was not committed: {outcome.Error}");
            }
        }

        return committed;
    }

    private TrainingState State() => new()
    {
        Attempt = _counters.Attempt,
        Step = _counters.Step,
        Samples = _counters.Samples,
        Tokens = _counters.Tokens,
        Lineage = _lineage,
        Scaler = ReferenceEquals(_scaler, LossScaler.None) ? null : _scaler.ToState(),
        HyperParameters = _applied.Values,
        DataFingerprint = _fingerprint,
        Corpora = [.. _run.Data.Digests],
        SkipSamples = _run.Plan.SkipSamples,
        EnvironmentHash = _environment,
        MomentsFrom = _momentsFrom,
    };

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
