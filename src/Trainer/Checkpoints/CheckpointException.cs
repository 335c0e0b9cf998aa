namespace Opt.Trainer.Checkpoints;

/// <summary>A checkpoint is missing, damaged or of another model. Ends a worker with <see cref="Api.Protocol.WorkerExit.Checkpoint"/>.</summary>
public sealed class CheckpointException(string message, Exception? inner = null) : Exception(message, inner);
