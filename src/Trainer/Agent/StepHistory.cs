using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Trainer.Agent;

/// <summary>The newest step records of one epoch, by index, for long polls. Older ones are in the store.</summary>
internal sealed class StepHistory(long epoch, string instance, TimeProvider time)
{
    private const int Kept = 5000, PageLimit = 500;
    private readonly Lock _gate = new();
    private readonly Queue<StepRecord> _records = new();
    private long _count;
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _closed;

    public long Epoch => epoch;

    public StepRecord? Last { get; private set; }

    public void Add(StepRecord record)
    {
        TaskCompletionSource waiting;
        lock (_gate)
        {
            _records.Enqueue(record);
            if (_records.Count > Kept) _records.Dequeue();
            _count++;
            Last = record;
            (waiting, _more) = (_more, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        waiting.TrySetResult();
    }

    /// <summary>Answers every poll at once from now on: the epoch is over.</summary>
    public void Close()
    {
        lock (_gate) _closed = true;
        _more.TrySetResult();
    }

    /// <summary>Records with an index above <paramref name="after"/>, the first being 1; waits for one as long as asked.</summary>
    public async Task<StepsPage> PageAsync(long after, TimeSpan wait, CancellationToken ct)
    {
        Task more;
        lock (_gate)
        {
            if (_count > after || _closed || wait <= TimeSpan.Zero) return Page(after);
            more = _more.Task;
        }

        using var done = CancellationTokenSource.CreateLinkedTokenSource(ct);
        await Task.WhenAny(more, Task.Delay(wait, time, done.Token));
        await done.CancelAsync();
        ct.ThrowIfCancellationRequested();
        lock (_gate) return Page(after);
    }

    private StepsPage Page(long after)
    {
        var first = _count - _records.Count;   // index of the record before the oldest kept
        var skip = (int)Math.Clamp(after - first, 0, _records.Count);
        EquatableList<StepRecord> page = [.. _records.Skip(skip).Take(PageLimit)];
        return new() { Instance = instance, Epoch = epoch, Next = page.Count == 0 ? Math.Min(after, _count) : first + skip + page.Count, Records = page };
    }
}
