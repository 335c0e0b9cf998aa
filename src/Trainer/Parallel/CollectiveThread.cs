using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Opt.Trainer.Data;
using Opt.Trainer.Tracing;
using Opt.Trainer.Workers;
using static Opt.Torch.torch;

namespace Opt.Trainer.Parallel;

/// <summary>
/// Issues collectives in the order they were submitted: every rank submits the same sequence, so no two ranks can wait for each other's.
/// Computation goes on meanwhile; <see cref="Pending.Wait"/> is where it meets the result. Gloo blocks whoever waits, so there a thread of its
/// own issues and waits. NCCL runs on streams and orders them itself: there the submitting thread issues, the same one that issues the
/// tensor-parallel collectives, so that all ranks launch the kernels of all their groups in one order.
/// </summary>
internal sealed class CollectiveThread : IDisposable
{
    private readonly BlockingCollection<Item> _queue = [];
    private readonly TimeProvider _time;
    private readonly Thread? _thread;
    private ExceptionDispatchInfo? _failure;
    private long _submitted;

    /// <param name="asynchronous">The groups run their collectives by themselves once issued: no thread is needed.</param>
    public CollectiveThread(TimeProvider time, bool asynchronous = false)
    {
        _time = time;
        if (asynchronous) return;
        _thread = new(Run) { IsBackground = true, Name = "collectives" };
        _thread.Start();
    }

    /// <summary>Digest of the sequence submitted so far; ranks compare it to prove that they issue the same collectives.</summary>
    public ulong Sequence { get; private set; }

    /// <summary>Time callers have spent in <see cref="Pending.Wait"/>: communication that no computation hid.</summary>
    public TimeSpan Exposed { get; private set; }

    /// <summary>Where issues, collectives and waits are recorded; null: nowhere.</summary>
    public TraceRecorder? Trace { get; set; }

    /// <summary>Where the agent reads what this rank does; null: nowhere.</summary>
    public FlightRecorder? Flight { get; set; }

    /// <summary>Queues a collective.</summary>
    /// <param name="kind">What it is, for the digest of the sequence.</param>
    /// <param name="issue">Starts it.</param>
    /// <param name="after">Runs when the result is there, before <see cref="Pending.Wait"/> returns; may be null.</param>
    /// <param name="unit">The unit it moves, for the trace; 0 is the root.</param>
    public Pending Submit(string kind, long elements, Func<distributed.Work> issue, Action? after = null, int? unit = null)
    {
        foreach (var letter in kind) Sequence = SplitMix.Key(Sequence, letter, (ulong)elements);
        var name = Trace is null ? kind : NameOf(kind, unit);
        Trace?.Instant("issue", name, TraceRecorder.TrainingThread, new() { Elements = elements });
        Flight?.Submitted(++_submitted);
        if (_thread is null) return Issue(kind, issue, after, name);
        var pending = new Pending(this) { Name = name, Number = _submitted };
        _queue.Add(new(kind, issue, after, pending));
        return pending;
    }

    /// <summary>Submits and waits.</summary>
    public void Run(string kind, long elements, Func<distributed.Work> issue) => Submit(kind, elements, issue).Wait();

    public void Dispose()
    {
        _queue.CompleteAdding();
        if (_thread != Thread.CurrentThread) _thread?.Join(TimeSpan.FromSeconds(5));
        _queue.Dispose();
    }

    private Pending Issue(string kind, Func<distributed.Work> issue, Action? after, string name)
    {
        Flight?.Issued(kind);
        return new(this, issue(), after) { Name = name, Number = _submitted };
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
                    Flight?.Issued(item.Kind);
                    using (var work = item.Issue()) work.Wait();
                    Flight?.Finished(item.Pending.Number);
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

    private sealed record Item(string Kind, Func<distributed.Work> Issue, Action? After, Pending Pending);

    /// <summary>A collective under way.</summary>
    internal sealed class Pending
    {
        private readonly object _gate = new();
        private readonly CollectiveThread _owner;
        private readonly Action? _after;
        private distributed.Work? _work;
        private ExceptionDispatchInfo? _error;
        private bool _done;

        /// <param name="work">Under way already, when no thread waits for it.</param>
        internal Pending(CollectiveThread owner, distributed.Work? work = null, Action? after = null) => (_owner, _work, _after) = (owner, work, after);

        public required string Name { get; init; }

        /// <summary>Its place in the sequence of collectives, from 1.</summary>
        public required long Number { get; init; }

        /// <summary>Blocks until the result is there (on CUDA: orders the current stream behind it); throws what the collective threw.</summary>
        public void Wait()
        {
            if (!Volatile.Read(ref _done))
            {
                var start = _owner._time.GetTimestamp();
                using var span = TraceRecorder.Span(_owner.Trace, "wait", Name);
                _owner.Flight?.Waits(Number);
                if (Interlocked.Exchange(ref _work, null) is { } work) Finish(work);
                else Await();
                _owner.Flight?.Waits(0);
                _owner.Exposed += _owner._time.GetElapsedTime(start);
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

        private void Await()
        {
            lock (_gate)
            {
                while (!_done) Monitor.Wait(_gate);
            }
        }

        private void Finish(distributed.Work work)
        {
            try
            {
                using var off = no_grad();
                using (work) work.Wait();
                _owner.Flight?.Finished(Number);
                _after?.Invoke();
            }
            catch (Exception e)
            {
                _error = ExceptionDispatchInfo.Capture(e);
            }

            _done = true;
        }
    }
}
