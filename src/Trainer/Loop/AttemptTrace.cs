using Opt.Trainer.Tracing;
using static Opt.Torch.torch;

namespace Opt.Trainer.Loop;

/// <summary>The span of an attempt in the trace, with the memory it took at most and the bytes it sent. Does nothing without a recorder.</summary>
internal sealed class AttemptTrace(Parallel.World world)
{
    private TraceSpan _span;
    private long _sent;

    public void Start()
    {
        if (world.Trace is not { } trace) return;
        cpu.reset_peak_memory_stats();
        _sent = world.Shard?.bytes_sent ?? 0;
        _span = trace.Begin("step", "attempt");
    }

    public void Stop()
    {
        if (world.Trace is not { } trace) return;
        var memory = cpu.memory_stats();
        trace.Count("attempt totals", new() { LiveBytes = memory.Allocated, PeakBytes = memory.PeakAllocated, BytesSent = (world.Shard?.bytes_sent ?? 0) - _sent });
        _span.Dispose();
    }
}
