using System.Collections.Concurrent;

namespace Opt.Trainer.Tracing;

/// <summary>
/// Records what one rank does when, for chrome://tracing or Perfetto (trace event format, Google, "JSON Object Format"). Recording ends at a
/// bound, so that a long run can be started with it.
/// </summary>
internal sealed class TraceRecorder
{
    /// <summary>Events kept: some hundred attempts of a small model.</summary>
    private const int MaximumEvents = 100_000;

    public const int TrainingThread = 0, CollectiveThread = 1;

    private readonly ConcurrentQueue<TraceEvent> _events = [];
    private readonly TimeProvider _time;
    private readonly int _rank;
    private readonly long _start;
    private readonly double _origin;

    public TraceRecorder(TimeProvider time, int rank)
    {
        (_time, _rank) = (time, rank);
        _origin = (time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMicroseconds;
        _start = time.GetTimestamp();
        Name("process_name", $"rank {rank}", TrainingThread);
        Name("thread_name", "training", TrainingThread);
        Name("thread_name", "collectives", CollectiveThread);
    }

    /// <summary>Everything recorded, in the order in which it ended.</summary>
    public IReadOnlyCollection<TraceEvent> Events => _events;

    /// <summary>A span that ends when the result is disposed. Costs nothing without a recorder.</summary>
    public static TraceSpan Span(TraceRecorder? recorder, string category, string name, int? block = null, int thread = TrainingThread) =>
        recorder is null ? default : recorder.Begin(category, block is null ? name : $"{name} block {block}", thread);

    /// <inheritdoc cref="Span"/>
    public TraceSpan Begin(string category, string name, int thread = TrainingThread, TraceArguments? arguments = null) =>
        new(this, category, name, thread, arguments, _time.GetTimestamp());

    public void Instant(string category, string name, int thread, TraceArguments? arguments = null) => Add(new(name, category, "i", Now(), null, _rank, thread, arguments));

    public void Count(string name, TraceArguments values) => Add(new(name, "counter", "C", Now(), null, _rank, TrainingThread, values));

    internal void End(in TraceSpan span)
    {
        var begin = At(span.Start);
        Add(new(span.Name, span.Category, "X", begin, Now() - begin, _rank, span.Thread, span.Arguments));
    }

    private void Name(string kind, string name, int thread) => Add(new(kind, "", "M", 0, null, _rank, thread, new() { Name = name }));

    private double Now() => At(_time.GetTimestamp());

    private double At(long timestamp) => _origin + _time.GetElapsedTime(_start, timestamp).TotalMicroseconds;

    private void Add(TraceEvent added)
    {
        if (_events.Count < MaximumEvents) _events.Enqueue(added);
    }
}

/// <summary>A stretch of time under way.</summary>
internal readonly record struct TraceSpan(TraceRecorder? Recorder, string Category, string Name, int Thread, TraceArguments? Arguments, long Start) : IDisposable
{
    public void Dispose() => Recorder?.End(this);
}
