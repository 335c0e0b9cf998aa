using System.Globalization;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Opt.Api.Protocol;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Agent;

/// <summary>
/// Copies step records to the store, in parts <c>steps/epoch-E/part-N.jsonl</c> that never change once written, so that policies and plots outlive
/// agents. A part is written when it is large or old enough, and at the end. While the store is down records are kept, up to a limit.
/// </summary>
internal sealed partial class StepArchive : IAsyncDisposable
{
    private const int PartRecords = 200, Kept = 20_000;
    private static readonly TimeSpan PartAge = TimeSpan.FromSeconds(60), EndDeadline = TimeSpan.FromSeconds(20);
    private readonly ICheckpointStore _store;
    private readonly long _epoch;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Channel<StepRecord> _records = Channel.CreateBounded<StepRecord>(new BoundedChannelOptions(Kept) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private int _part;

    public StepArchive(ICheckpointStore store, long epoch, TimeProvider time, ILogger logger)
    {
        _store = store;
        _epoch = epoch;
        _time = time;
        _logger = logger;
        _loop = Task.Run(RunAsync);
    }

    public void Add(StepRecord record) => _records.Writer.TryWrite(record);

    /// <summary>Writes the rest and ends; the answer completes when it is done or given up.</summary>
    public Task FinishAsync()
    {
        if (_records.Writer.TryComplete()) _stop.CancelAfter(EndDeadline);
        return _loop;
    }

    public async ValueTask DisposeAsync()
    {
        await FinishAsync();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        var part = new List<StepRecord>();
        while (await FillAsync(part))
        {
            if (part.Count > 0) await WriteAsync(part);
        }
    }

    /// <summary>Waits until the part is full or old enough; false when there will be no more records.</summary>
    private async Task<bool> FillAsync(List<StepRecord> part)
    {
        using var age = new CancellationTokenSource(PartAge, _time);
        try
        {
            while (part.Count < PartRecords)
            {
                if (!await _records.Reader.WaitToReadAsync(age.Token)) return part.Count > 0;
                while (part.Count < PartRecords && _records.Reader.TryRead(out var record)) part.Add(record);
            }
        }
        catch (OperationCanceledException)
        {
            // Old enough.
        }

        return true;
    }

    private async Task WriteAsync(List<StepRecord> part)
    {
        using var text = new MemoryStream();
        foreach (var record in part)
        {
            text.Write(JsonSerializer.SerializeToUtf8Bytes(record, ProtocolJson.Default.StepRecord));
            text.WriteByte((byte)'\n');
        }

        try
        {
            while (!await _store.TryCreateAsync(NameOf(_epoch, _part + 1), text.ToArray(), _stop.Token)) _part++;
            _part++;
            part.Clear();
        }
        catch (Exception e) when (e is StoreException or OperationCanceledException)
        {
            Log.NotArchived(_logger, part.Count, e.Message);
            if (_stop.IsCancellationRequested || part.Count >= Kept) part.Clear();
            else await Task.Delay(TimeSpan.FromSeconds(10), _time, CancellationToken.None);
        }
    }

    internal static string NameOf(long epoch, int part) => string.Create(CultureInfo.InvariantCulture, $"steps/epoch-{epoch:d6}/part-{part:d8}.jsonl");

    private static partial class Log   // 53xx: agent
    {
        [LoggerMessage(5320, LogLevel.Warning, "{Count} step records are not in the store yet: {Reason}")]
        public static partial void NotArchived(ILogger logger, int count, string reason);
    }
}
