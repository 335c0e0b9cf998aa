namespace Opt.Trainer.Checkpoints;

/// <summary>The copy of the state to host memory.</summary>
/// <param name="Waited">How long its caller stood still for it.</param>
/// <param name="Took">How long it took.</param>
public readonly record struct SnapshotTime(TimeSpan Waited, TimeSpan Took);
