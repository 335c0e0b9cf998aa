using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Opt.Trainer.Data;
using Opt.Trainer.Tracing;
using static Opt.Torch.torch;

namespace Opt.Trainer.Parallel;

/// <summary>
/// The one thread that issues collectives, in the order they were submitted: every rank submits the same sequence, so no two ranks can wait
/// for each other's. Computation goes on meanwhile; <see cref="Pending.Wait"/> is where it meets the result.
/// </summary>
internal sealed class CollectiveThread : IDisposable
{
    private readonly BlockingCollection<Item> _queue = [];
    private readonly TimeProvider _time;
    private readonly Thread _thread;
    private ExceptionDispatchInfo? _failure;

    public CollectiveThread(TimeProvider time)
    {
        _time = time;
        _thread = new(Run) { IsBackground = true, Name = "collectives" };
        _thread.Start();
    }

    /// <summary>Digest of the sequence submitted so far; ranks compare it to prove that they issue the same collectives.</summary>
    public ulong Sequence { get; private set; }

    /// <summary>Time callers have spent in <see cref="Pending.Wait"/>: communication that no computation hid.</summary>
    public TimeSpan Exposed { get; private set; }

    /// <summary>Where issues, collectives and waits are recorded; null: nowhere.</summary>
    public TraceRecorder? Trace { get; set; }

    /// <summary>Queues a collective.</summary>
    /// <param name="kind">What it is, for the digest of the sequence.</param>
    /// <param name="issue">Starts it; runs on the collective thread.</param>
    /// <param name="after">Runs on the collective thread when the result is there; may be null.</param>
    /// <param name="unit">The unit it moves, for the trace; 0 is the root.</param>
    public Pending Submit(string kind, long elements, Func<distributed.Work> issue, Action? after = null, int? unit = null)
    {
        Sequence = SplitMix.Key(Sequence, (ulong)kind.Length, kind[0], (ulong)elements);
        var pending = new Pending(this) { Name = Trace is null ? kind : NameOf(kind, unit) };
        Trace?.Instant("issue", pending.Name, TraceRecorder.TrainingThread, new() { Elements = elements });
        _queue.Add(new(issue, after, pending));
        return pending;
    }

    /// <summary>Submits and waits.</summary>
    public void Run(string kind, long elements, Func<distributed.Work> issue) => Submit(kind, elements, issue).Wait();

    public void Dispose()
    {
        _queue.CompleteAdding();
        if (_thread != Thread.CurrentThread) _thread.Join(TimeSpan.FromSeconds(5));
        _queue.Dispose();
    }

    // After one failure the group is unusable: what is queued behind it fails with the same cause at once.
    private void Run()
    {
        using var off = no_grad();
        foreach (var item in _queue.GetConsumingEnumerable())
        {
            try
            {
                _failure?.Throw();
                using (TraceRecorder.Span(Trace, "collective", item.Pending.Name, thread: TraceRecorder.CollectiveThread))
                {
                    using (var work = item.Issue()) work.Wait();
                    item.After?.Invoke();
                }

                item.Pending.Complete(null);
            }
            catch (Exception e)
            {
                _failure ??= ExceptionDispatchInfo.Capture(e);
                item.Pending.Complete(_failure);
            }
        }
    }

    private static string NameOf(string kind, int? unit) => unit switch
    {
        null => kind,
        0 => $"{kind} root",
        _ => $"{kind} block {unit - 1}",
    };

    private sealed record Item(Func<distributed.Work> Issue, Action? After, Pending Pending);

    /// <summary>A collective under way.</summary>
    internal sealed class Pending(CollectiveThread owner)
    {
        private readonly object _gate = new();
        private ExceptionDispatchInfo? _error;
        private bool _done;

        public required string Name { get; init; }

        /// <summary>Blocks until the result is there; throws what the collective threw.</summary>
        public void Wait()
        {
            lock (_gate)
            {
                var start = owner._time.GetTimestamp();
                if (!_done)
                {
                    using var span = TraceRecorder.Span(owner.Trace, "wait", Name);
                    while (!_done) Monitor.Wait(_gate);
                    owner.Exposed += owner._time.GetElapsedTime(start);
                }
            }

            _error?.Throw();
        }

        internal void Complete(ExceptionDispatchInfo? error)
        {
            lock (_gate)
            {
                (_error, _done) = (error, true);
                Monitor.PulseAll(_gate);
            }
        }
    }
}
