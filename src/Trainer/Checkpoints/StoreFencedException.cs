namespace Opt.Trainer.Checkpoints;

/// <summary>A newer epoch, or another job, owns the store: nothing this process writes can become visible any more.</summary>
public sealed class StoreFencedException(string message) : Exception(message);
