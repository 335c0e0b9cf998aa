using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Rank 0's chores in the store, one after the other, away from training: verdicts, retention, leftovers. A chore that fails is logged and
/// left to the next one of its kind; none of them is needed for a checkpoint to exist.
/// </summary>
internal sealed partial class Housekeeper : IAsyncDisposable
{
    /// <summary>How long the end of a worker waits for chores under way.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly CommitLog _log;
    private readonly Pruner _pruner;
    private readonly long _epoch;
    private volatile RetentionSpec _keep;
    private readonly ILogger _logger;
    private readonly Channel<(string What, Func<CancellationToken, Task> Run)> _chores = Channel.CreateUnbounded<(string, Func<CancellationToken, Task>)>();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private bool _cleaned;

    public Housekeeper(CommitLog log, long epoch, RetentionSpec keep, ILogger logger)
    {
        _log = log;
        _pruner = new Pruner(log, epoch);
        _epoch = epoch;
        _keep = keep;
        _logger = logger;
        _loop = Task.Run(RunAsync);
    }

    /// <summary>What retention keeps from its next run on.</summary>
    public void Adopt(RetentionSpec keep) => _keep = keep;

    /// <summary>Writes down what became of a checkpoint that is still pending.</summary>
    public void Say(HealthFinding finding) => Add("verdict", ct => _log.AppendAsync(state =>
        state.Checkpoints.TryGetValue(finding.Entry, out var known) && known.Verdict == HealthVerdict.Pending
            ? CommitLog.Entry(LogEntryKind.Verdict, _epoch) with { Verdict = new() { Checkpoint = finding.Entry, Verdict = finding.Verdict, Reason = finding.Reason } }
            : null, ct));

    /// <summary>Writes an event into the store's logbook.</summary>
    public void Note(LogbookEntry entry) => Add("logbook", ct => _log.RecordAsync([entry], ct));

    public void Prune() => Add("retention", async ct =>
    {
        await _pruner.RetireAsync(_keep, ct);
        await new LogCompactor(_log.Files).RunAsync(ct);
        if (_cleaned) return;
        foreach (var folder in await _pruner.DeleteLeftoversAsync(ct)) Log.Deleted(_logger, folder);
        _cleaned = true;
    });

    /// <summary>Retires a checkpoint whose copies in memory are gone.</summary>
    public void RetireLost(long checkpoint) => Add("lost checkpoint", async ct =>
    {
        var path = "";
        await _log.AppendAsync(state =>
        {
            if (!state.Checkpoints.TryGetValue(checkpoint, out var known) || !known.Commit.InMemory) return null;
            path = known.Commit.Path;
            return CommitLog.Entry(LogEntryKind.Retire, _epoch) with { Retire = new() { Checkpoint = checkpoint, Reason = "no node's memory holds all of it any more" } };
        }, ct);
        if (path.Length > 0) await _pruner.DeleteFolderAsync(path, ct);
    });

    /// <summary>Deletes a save of this epoch that failed; every rank has said that it writes no more.</summary>
    public void DeleteTorn(string folder) => Add("torn save", ct => _pruner.DeleteFolderAsync(folder, ct));

    public async ValueTask DisposeAsync()
    {
        _chores.Writer.Complete();
        _stop.CancelAfter(Patience);
        await _loop;
        _stop.Dispose();
    }

    private void Add(string what, Func<CancellationToken, Task> run) => _chores.Writer.TryWrite((what, run));

    private async Task RunAsync()
    {
        await foreach (var (what, run) in _chores.Reader.ReadAllAsync())
        {
            try
            {
                await run(_stop.Token);
            }
            catch (Exception e) when (e is StoreException or CheckpointException or StoreFencedException or OperationCanceledException)
            {
                Log.Failed(_logger, what, e.Message);
            }
        }
    }

    private static partial class Log   // 512x: chores
    {
        [LoggerMessage(5121, LogLevel.Warning, "Checkpoint chore failed ({What}): {Reason}")]
        public static partial void Failed(ILogger logger, string what, string reason);

        [LoggerMessage(5122, LogLevel.Information, "Deleted what a torn or retired checkpoint left at {Path}")]
        public static partial void Deleted(ILogger logger, string path);
    }
}
