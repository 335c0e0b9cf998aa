using Opt.Api.Protocol;

namespace Opt.Trainer.Loop;

/// <summary>Splits the wall time of an attempt into its parts, from running totals kept where the time is spent.</summary>
internal sealed class AttemptTimer(TrainingEngine engine, Parallel.World world, TimeProvider time)
{
    private readonly AttemptTrace _trace = new(world);
    private long _start;
    private (TimeSpan Data, TimeSpan Forward, TimeSpan Backward, TimeSpan Exposed) _before;

    public void Start()
    {
        _trace.Start();
        _start = time.GetTimestamp();
        _before = Totals();
    }

    /// <summary>Whole seconds of the attempt and its parts.</summary>
    /// <param name="stallBefore">Time the checkpoint took before <see cref="Start"/>.</param>
    /// <param name="stallWithin">Time it took since.</param>
    public (double Seconds, StepTiming Parts) Stop(TimeSpan optimizer, TimeSpan stallBefore, TimeSpan stallWithin)
    {
        _trace.Stop();
        var now = Totals();
        var parts = new StepTiming
        {
            Data = (now.Data - _before.Data).TotalSeconds,
            Forward = (now.Forward - _before.Forward).TotalSeconds,
            Backward = (now.Backward - _before.Backward).TotalSeconds,
            ExposedCommunication = (now.Exposed - _before.Exposed).TotalSeconds,
            Optimizer = optimizer.TotalSeconds,
            CheckpointStall = (stallBefore + stallWithin).TotalSeconds,
        };
        return ((time.GetElapsedTime(_start) + stallBefore).TotalSeconds, parts);
    }

    /// <summary>Seconds of the attempt so far in which this rank worked, as opposed to waiting for others.</summary>
    public double Worked() => Math.Max(0, (time.GetElapsedTime(_start) - (world.Collectives.Exposed - _before.Exposed)).TotalSeconds);

    private (TimeSpan Data, TimeSpan Forward, TimeSpan Backward, TimeSpan Exposed) Totals() =>
        (engine.ReadingTime, engine.Schedule.Spent.Forward, engine.Schedule.Spent.Backward, world.Collectives.Exposed);
}
