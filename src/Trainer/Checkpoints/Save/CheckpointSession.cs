using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <inheritdoc cref="ICheckpointSession"/>
public sealed partial class CheckpointSession : ICheckpointSession
{
    private readonly CheckpointSessionOptions _options;
    private readonly TimeSpan _atMost;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ShardFormat _format;
    private readonly SaveLane _toStore, _toMemory;
    private readonly CommitLog _log;
    private readonly SaveCoordinator _coordinator;
    private readonly Housekeeper _housekeeper;
    private readonly HealthMonitor _health;
    private readonly ConcurrentQueue<SaveOutcome> _outcomes = new();
    private readonly CancellationTokenSource _stop = new();
    private Task? _slices;
    private Task<TimeSpan>? _copy;   // under way, or not waited for yet
    private volatile StoreFencedException? _fenced;
    private long _parent;
    private bool _lossScaling;
    private volatile string? _committed;   // rank 0: folder of the newest checkpoint known to be committed
    private long _committedStep;   // its step; 0 when it is of an earlier epoch
    private volatile bool _uncertain = true;   // rank 0: the log must say which that is: nothing was restored, or the answer to a commit was lost

    public CheckpointSession(CheckpointSessionOptions options, TimeProvider time, ILogger<CheckpointSession> logger)
    {
        _options = options;
        _atMost = (options.Spec.Upload ?? new()).AtMost;
        _time = time;
        _logger = logger;
        var (layout, buffers) = options.WritesState ? (options.Layout, options.Buffers) : (options.Layout with { Slices = [] }, []);
        _format = new ShardFormat(layout, buffers);
        _toStore = new(new HostSnapshot(_format, buffers), time, _stop.Token);
        _toMemory = new(new HostSnapshot(_format, buffers), time, _stop.Token);   // memory is taken when it is first used
        _log = new CommitLog(options.Store, options.JobUid, options.Writer, time, options.LogLimits);
        _coordinator = new SaveCoordinator(options, _log, _format, time, _stop.Token);
        _health = new HealthMonitor(options.Spec.HealthyWhen);
        _housekeeper = new Housekeeper(_log, options.Epoch, options.Spec.Keep, logger);
    }

    public bool IsReady(SaveKind kind) => LaneOf(kind).Running.IsCompleted && (kind == SaveKind.Store || _options.Nearby.Count > 0);

    private bool IsRankZero => _options.Exchange.Rank == 0;

    public void BeginSave(TrainingState state, SaveKind kind = SaveKind.Store)
    {
        WaitUntilCopied();
        if (_fenced is { } fenced) throw fenced;
        var start = _time.GetTimestamp();
        _lossScaling = state.Scaler is not null;
        if (!IsRankZero) _slices ??= _coordinator.PublishSlicesAsync(_stop.Token);
        var lane = LaneOf(kind);
        var saving = new Saving(kind, lane.Snapshot, state, start, _health.Now);
        _options.BeforeCopy();
        _copy = lane.Begin(_options.OnCopyThread, ct => RunSaveAsync(saving, ct));
    }

    public SnapshotTime WaitUntilCopied()
    {
        if (_copy is not { } copy) return default;
        _copy = null;
        var start = _time.GetTimestamp();
        var took = copy.GetAwaiter().GetResult();
        return new(_time.GetElapsedTime(start), took);
    }

    public TimeSpan Save(TrainingState state, SaveKind kind = SaveKind.Store)
    {
        var start = _time.GetTimestamp();
        BeginSave(state, kind);
        WaitUntilCopied();
        return _time.GetElapsedTime(start);
    }

    public void Adopt(CheckpointSpec spec)
    {
        _health.Adopt(spec.HealthyWhen);
        _housekeeper.Adopt(spec.Keep);
    }

    public void Observe(StepRecord record)
    {
        foreach (var finding in _health.Observe(record, _lossScaling)) _housekeeper.Say(finding);
    }

    public bool TryTakeOutcome(out SaveOutcome outcome) => _outcomes.TryDequeue(out outcome!);

    public Task WaitUntilSavedAsync(CancellationToken ct) => Task.WhenAll(_toStore.Running, _toMemory.Running).WaitAsync(ct);

    public async Task<RestoredCheckpoint> RestoreAsync(CheckpointSummary resume, IProgress<double>? progress, CancellationToken ct)
    {
        var restored = await new RestoreProtocol(_options, _log).RunAsync(resume, progress, ct);
        _lossScaling = restored.State.Scaler is not null;
        (_committed, _uncertain) = (restored.Checkpoint.Path, false);
        foreach (var skipped in restored.Skipped) Log.Skipped(_logger, skipped.Step, skipped.Path, skipped.Reason);
        Log.Restored(_logger, restored.Checkpoint.Step, string.Join(", ", restored.Sources.Select(s => $"{s.Bytes} bytes from {s.Tier}")));
        if (!IsRankZero) return restored;
        foreach (var skipped in restored.Skipped) _housekeeper.Note(PassedOver(skipped, restored.Checkpoint.Step));
        var log = await _log.ReadAsync(ct);
        _parent = log.Ancestry(restored.Checkpoint.Entry).FirstOrDefault(c => !c.Commit.InMemory)?.Entry ?? restored.Checkpoint.Entry;
        _health.Resume(log, restored.Checkpoint.Entry);
        // What no node's memory holds any more is nowhere: nobody shall choose it again.
        foreach (var lost in log.Checkpoints.Values.Where(c => c.Commit.InMemory && restored.Skipped.Any(s => s.Path == c.Commit.Path))) _housekeeper.RetireLost(lost.Entry);
        return restored;
    }

    public async ValueTask DisposeAsync()
    {
        await _housekeeper.DisposeAsync();
        await _stop.CancelAsync();
        await Task.WhenAll(_toStore.Running, _toMemory.Running);
        if (_slices is { } slices) await slices.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        _toStore.Dispose();
        _toMemory.Dispose();
        _stop.Dispose();
        _log.Dispose();
    }

    /// <summary>
    /// Rank 0 tells which checkpoint's copies stay while this save's are made: the last committed one's. After a commit whose answer was lost the log says
    /// which that is; while it cannot be read nothing may be displaced.
    /// </summary>
    private async Task<CopyChoice?> TellWhatStaysAsync(Saving saving, CancellationToken ct)
    {
        CopyChoice? choice = null;
        try
        {
            if (_uncertain) AdoptNewest(await _log.ReadAsync(ct));
            choice = new(_committed);
        }
        catch (Exception e) when (e is StoreException or CheckpointException)
        {
            Log.NoCopies(_logger, saving.State.Step, e.Message);
        }

        await _coordinator.TellWhatStaysAsync(saving.State.Attempt, choice, ct);
        return choice;
    }

    private void AdoptNewest(LogState log)
    {
        var usable = log.NewestFirst.Where(c => c.Verdict != HealthVerdict.Condemned).ToArray();
        var newest = usable.FirstOrDefault(c => c.Epoch == _options.Epoch) ?? (_committed is null ? usable.FirstOrDefault() : null);
        lock (_toStore)
        {
            if (newest is not null) (_committed, _committedStep) = (newest.Commit.Path, newest.Epoch == _options.Epoch ? newest.Commit.Step : 0);
            _uncertain = false;
        }
    }

    private LogbookEntry PassedOver(SkippedCheckpoint skipped, long step) => new()
    {
        Time = _time.GetUtcNow(),
        Epoch = _options.Epoch,
        Step = step,
        Actor = "trainer",
        What = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"passed over the checkpoint of step {skipped.Step} and resumed from step {step}"),
        Why = skipped.Reason,
    };

    private SaveLane LaneOf(SaveKind kind) => kind == SaveKind.Memory ? _toMemory : _toStore;

    /// <summary>The background part of a save. Never throws: how it went is an outcome.</summary>
    private async Task RunSaveAsync(Saving saving, CancellationToken stop)
    {
        // Rank 0 alone gives up on a slow save: what others go on with ends when the next one begins.
        using var deadline = new CancellationTokenSource(IsRankZero ? _atMost : Timeout.InfiniteTimeSpan, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, deadline.Token);
        var ct = either.Token;
        try
        {
            if (_slices is { } published) await published.WaitAsync(ct);
            var beside = IsRankZero ? await TellWhatStaysAsync(saving, ct) : await _coordinator.WhatStaysAsync(saving.State.Attempt, ct);
            var mine = await WriteAsync(saving, beside, ct);
            if (IsRankZero) await FinishAsync(saving, mine, ct, stop);
            else await SaveCoordinator.PublishAsync(_options.Exchange, saving.State.Attempt, mine, ct);
            if (!IsRankZero && mine.Error is { } error) Report(saving, error);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !stop.IsCancellationRequested)
        {
            Report(saving, $"not every rank was done after {_atMost.TotalMinutes:0.##} minutes");
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Report(saving, "given up: the next save began or the worker ended before it was done");
        }
        catch (StoreFencedException e)
        {
            _fenced = e;
            Report(saving, e.Message);
        }
        catch (Exception e)
        {
            // Whatever goes wrong in the background is an outcome: training goes on.
            Report(saving, e.Message);
        }

    }

    /// <summary>Writes this rank's object, computing its digests meanwhile.</summary>
    /// <param name="beside">Which copies stay; null to make none.</param>
    private async Task<ShardResult> WriteAsync(Saving saving, CopyChoice? beside, CancellationToken ct)
    {
        var name = CheckpointNames.Shard(_options.Layout.Rank);
        var path = $"{FolderOf(saving.State)}/{name}";
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var digests = Task.Run(() => ObjectDigests.Of(name, saving.Snapshot, both.Token), both.Token);
        using var grace = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _time);
        using var copyStop = CancellationTokenSource.CreateLinkedTokenSource(both.Token, grace.Token);
        var copies = Task.WhenAll(_options.Nearby.Select(n => Task.Run(() => TryKeepAsync(n, path, saving.Snapshot, beside, copyStop.Token), CancellationToken.None)));
        try
        {
            if (saving.Kind == SaveKind.Store) await _options.Store.WriteAsync(path, saving.Snapshot, ct);
            else await digests;
            grace.CancelAfter(saving.Kind == SaveKind.Store ? _options.CopyGrace : _options.MemoryGrace);
            var kept = await copies;
            if (saving.Kind == SaveKind.Memory && !kept.Contains(true)) return new() { Error = "neither its node nor its partner has room for it" };
            return new() { Object = await digests, Copies = [.. _options.Nearby.Where((_, i) => kept[i]).Select(n => n.Tier)] };
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return new() { Error = e.Message };   // told to rank 0, which would wait for it in vain otherwise
        }
        finally
        {
            // Nothing may read the snapshot once this returns.
            await both.CancelAsync();
            await Task.WhenAll(digests, copies).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private static async Task<bool> TryKeepAsync(INearbyCopies copies, string name, HostSnapshot snapshot, CopyChoice? beside, CancellationToken ct)
    {
        try
        {
            return beside is not null && await copies.TryKeepAsync(name, snapshot, beside.Folder, ct);
        }
        catch (OperationCanceledException)
        {
            return false;   // too slow, or the save is given up: the store's object decides
        }
    }

    /// <param name="gathering">Ends the wait for the other ranks; what is complete is committed however long it took.</param>
    private async Task FinishAsync(Saving saving, ShardResult mine, CancellationToken gathering, CancellationToken ct)
    {
        var (folder, state) = (FolderOf(saving.State), saving.State);
        IReadOnlyList<ShardResult> shards;
        try
        {
            shards = await _coordinator.GatherAsync(state.Attempt, mine, gathering);
        }
        catch (CheckpointException e)
        {
            Report(saving, e.Message);
            _housekeeper.DeleteTorn(folder);
            return;
        }

        _uncertain = true;
        var (committed, bytes) = await _coordinator.CommitAsync(saving.Kind, folder, state, _parent, saving.Health, shards, ct);
        lock (_toStore)   // both kinds of save may end at once
        {
            // An upload may be done long after a copy in memory of a later step: that one is what must stay.
            if (state.Step >= _committedStep) (_committed, _committedStep) = (folder, state.Step);
            _uncertain = false;
        }

        // One that lives in memory is gone before enough good steps could follow it.
        if (saving.Kind == SaveKind.Store) _health.Committed(committed.Entry, state.Step, saving.Health);
        _outcomes.Enqueue(new() { Step = state.Step, Kind = saving.Kind, Committed = true, Path = folder, Bytes = bytes, Duration = _time.GetElapsedTime(saving.Start) });
        Log.Committed(_logger, state.Step, folder, bytes, _time.GetElapsedTime(saving.Start).TotalSeconds);
        _housekeeper.Prune();
    }

    private string FolderOf(TrainingState state) => CheckpointNames.Folder(state.Step, state.Attempt, _options.Epoch);

    private void Report(Saving saving, string error)
    {
        Log.NotSaved(_logger, saving.State.Step, error);
        _outcomes.Enqueue(new() { Step = saving.State.Step, Kind = saving.Kind, Committed = false, Error = error, Duration = _time.GetElapsedTime(saving.Start) });
    }

    /// <param name="Start">Timestamp of the call.</param>
    /// <param name="Health">How the run did then.</param>
    private sealed record Saving(SaveKind Kind, HostSnapshot Snapshot, TrainingState State, long Start, HealthRecord Health);

    private static partial class Log   // 51xx: checkpoints
    {
        [LoggerMessage(5101, LogLevel.Information, "Committed the checkpoint of step {Step} at {Path}: {Bytes} bytes in {Seconds:0.0} s")]
        public static partial void Committed(ILogger logger, long step, string path, long bytes, double seconds);

        [LoggerMessage(5102, LogLevel.Warning, "The checkpoint of step {Step} was not saved: {Reason}")]
        public static partial void NotSaved(ILogger logger, long step, string reason);

        [LoggerMessage(5105, LogLevel.Warning, "No copies are made of the checkpoint of step {Step}: {Reason}")]
        public static partial void NoCopies(ILogger logger, long step, string reason);

        [LoggerMessage(5104, LogLevel.Information, "Restored the checkpoint of step {Step}: {Sources}")]
        public static partial void Restored(ILogger logger, long step, string sources);

        [LoggerMessage(5103, LogLevel.Warning, "Skipped the checkpoint of step {Step} at {Path}: {Reason}")]
        public static partial void Skipped(ILogger logger, long step, string path, string reason);
    }
}
