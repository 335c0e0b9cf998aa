namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>A clock that is wrong by a fixed amount but runs at the right speed.</summary>
internal sealed class SkewedTime(TimeSpan by) : TimeProvider
{
    public TimeSpan By => by;

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + by;
}
