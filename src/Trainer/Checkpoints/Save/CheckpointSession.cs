using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <inheritdoc cref="ICheckpointSession"/>
public sealed partial class CheckpointSession : ICheckpointSession
{
    /// <summary>Rank 0 gives up on a save when some rank has not answered by then; training goes on.</summary>
    private static readonly TimeSpan SaveTimeout = TimeSpan.FromMinutes(30);

    private readonly CheckpointSessionOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ShardFormat _format;
    private readonly HostSnapshot _snapshot;
    private readonly CommitLog _log;
    private readonly SaveCoordinator _coordinator;
    private readonly Housekeeper _housekeeper;
    private readonly HealthMonitor _health;
    private readonly ConcurrentQueue<SaveOutcome> _outcomes = new();
    private readonly CancellationTokenSource _stop = new();
    private CancellationTokenSource _saveStop = new();
    private Task _save = Task.CompletedTask;
    private Task? _slices;
    private volatile StoreFencedException? _fenced;
    private long _parent;
    private bool _lossScaling;

    public CheckpointSession(CheckpointSessionOptions options, TimeProvider time, ILogger<CheckpointSession> logger)
    {
        _options = options;
        _time = time;
        _logger = logger;
        var (layout, buffers) = options.WritesState ? (options.Layout, options.Buffers) : (options.Layout with { Slices = [] }, []);
        _format = new ShardFormat(layout, buffers);
        _snapshot = new HostSnapshot(_format, buffers);
        _log = new CommitLog(options.Store, options.JobUid, options.Writer, time, options.LogLimits);
        _coordinator = new SaveCoordinator(options, _log, _format, time);
        _health = new HealthMonitor(options.Spec.HealthyWhen);
        _housekeeper = new Housekeeper(_log, options.Epoch, options.Spec.Keep, logger);
    }

    public bool IsReady => _save.IsCompleted;

    private bool IsRankZero => _options.Exchange.Rank == 0;

    public TimeSpan Save(TrainingState state)
    {
        if (_fenced is { } fenced) throw fenced;
        var start = _time.GetTimestamp();
        // Still busy only when rank 0 gave up on the last save: its upload is of no use any more, its memory is needed.
        _saveStop.Cancel();
        _save.GetAwaiter().GetResult();
        _saveStop.Dispose();
        _saveStop = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        _lossScaling = state.Scaler is not null;
        _snapshot.Capture();
        var stall = _time.GetElapsedTime(start);
        var ct = _saveStop.Token;
        _save = Task.Run(() => RunSaveAsync(state, start, ct), CancellationToken.None);
        return stall;
    }

    public void Adopt(CheckpointSpec spec)
    {
        _health.Adopt(spec.HealthyWhen);
        _housekeeper.Adopt(spec.Keep);
    }

    public void Observe(StepRecord record)
    {
        foreach (var entry in _health.Observe(record, _lossScaling)) _housekeeper.DeclareHealthy(entry, record.Step);
    }

    public bool TryTakeOutcome(out SaveOutcome outcome) => _outcomes.TryDequeue(out outcome!);

    public Task WaitUntilSavedAsync(CancellationToken ct) => _save.WaitAsync(ct);

    public async Task<RestoredCheckpoint> RestoreAsync(CheckpointSummary resume, IProgress<double>? progress, CancellationToken ct)
    {
        var restored = await new RestoreProtocol(_options, _log).RunAsync(resume, progress, ct);
        _parent = restored.Checkpoint.Entry;
        _lossScaling = restored.State.Scaler is not null;
        foreach (var skipped in restored.Skipped) Log.Skipped(_logger, skipped.Step, skipped.Path, skipped.Reason);
        Log.Restored(_logger, restored.Checkpoint.Step, string.Join(", ", restored.Sources.Select(s => $"{s.Bytes} bytes from {s.Tier}")));
        if (IsRankZero) _health.Resume(await _log.ReadAsync(ct), restored.Checkpoint.Entry);
        return restored;
    }

    public async ValueTask DisposeAsync()
    {
        await _housekeeper.DisposeAsync();
        await _stop.CancelAsync();
        await _save;
        if (_slices is { } slices) await slices.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        _snapshot.Dispose();
        _saveStop.Dispose();
        _stop.Dispose();
        _log.Dispose();
    }

    /// <summary>The background part of a save. Never throws: how it went is an outcome.</summary>
    private async Task RunSaveAsync(TrainingState state, long start, CancellationToken ct)
    {
        try
        {
            var folder = CheckpointNames.Folder(state.Step, state.Attempt, _options.Epoch);
            if (!IsRankZero) await (_slices ??= _coordinator.PublishSlicesAsync(ct));
            var mine = await UploadAsync(folder, ct);
            if (IsRankZero) await FinishAsync(folder, state, mine, start, ct);
            else await SaveCoordinator.PublishAsync(_options.Exchange, state.Attempt, mine, ct);
            if (!IsRankZero && mine.Error is { } error) Report(state, start, error);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            Report(state, start, "given up: the next save began or the worker ended before it was done");
        }
        catch (StoreFencedException e)
        {
            _fenced = e;
            Report(state, start, e.Message);
        }
        catch (Exception e)
        {
            // Whatever goes wrong in the background is an outcome: training goes on.
            Report(state, start, e.Message);
        }
    }

    /// <summary>Writes this rank's object, computing its digests meanwhile.</summary>
    private async Task<ShardResult> UploadAsync(string folder, CancellationToken ct)
    {
        var name = CheckpointNames.Shard(_options.Layout.Rank);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var digests = Task.Run(() => ObjectDigests.Of(name, _snapshot, both.Token), both.Token);
        using var grace = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _time);
        using var copyStop = CancellationTokenSource.CreateLinkedTokenSource(both.Token, grace.Token);
        var copies = Task.WhenAll(_options.Nearby.Select(n => Task.Run(() => TryKeepAsync(n, $"{folder}/{name}", copyStop.Token), CancellationToken.None)));
        try
        {
            await _options.Store.WriteAsync($"{folder}/{name}", _snapshot, ct);
            grace.CancelAfter(_options.CopyGrace);
            var kept = await copies;
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

    private async Task<bool> TryKeepAsync(INearbyCopies copies, string name, CancellationToken ct)
    {
        try
        {
            return await copies.TryKeepAsync(name, _snapshot, ct);
        }
        catch (OperationCanceledException)
        {
            return false;   // too slow, or the save is given up: the store's object decides
        }
    }

    private async Task FinishAsync(string folder, TrainingState state, ShardResult mine, long start, CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(SaveTimeout, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        IReadOnlyList<ShardResult> shards;
        try
        {
            shards = await _coordinator.GatherAsync(state.Attempt, mine, both.Token);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            Report(state, start, $"some rank was not done after {SaveTimeout.TotalMinutes:0} minutes");
            return;
        }
        catch (CheckpointException e)
        {
            Report(state, start, e.Message);
            _housekeeper.DeleteTorn(folder);
            return;
        }

        var (committed, bytes) = await _coordinator.CommitAsync(folder, state, _parent, _health.LastBadStep, shards, ct);
        _health.Committed(committed.Entry, state.Step);
        _outcomes.Enqueue(new() { Step = state.Step, Committed = true, Path = folder, Bytes = bytes, Duration = _time.GetElapsedTime(start) });
        Log.Committed(_logger, state.Step, folder, bytes, _time.GetElapsedTime(start).TotalSeconds);
        _housekeeper.Prune();
    }

    private void Report(TrainingState state, long start, string error)
    {
        Log.NotSaved(_logger, state.Step, error);
        _outcomes.Enqueue(new() { Step = state.Step, Committed = false, Error = error, Duration = _time.GetElapsedTime(start) });
    }

    private static partial class Log   // 51xx: checkpoints
    {
        [LoggerMessage(5101, LogLevel.Information, "Committed the checkpoint of step {Step} at {Path}: {Bytes} bytes in {Seconds:0.0} s")]
        public static partial void Committed(ILogger logger, long step, string path, long bytes, double seconds);

        [LoggerMessage(5102, LogLevel.Warning, "The checkpoint of step {Step} was not saved: {Reason}")]
        public static partial void NotSaved(ILogger logger, long step, string reason);

        [LoggerMessage(5104, LogLevel.Information, "Restored the checkpoint of step {Step}: {Sources}")]
        public static partial void Restored(ILogger logger, long step, string sources);

        [LoggerMessage(5103, LogLevel.Warning, "Skipped the checkpoint of step {Step} at {Path}: {Reason}")]
        public static partial void Skipped(ILogger logger, long step, string path, string reason);
    }
}
