namespace Opt.Trainer.Checkpoints;

/// <summary>A checkpoint is missing, damaged or of another model. Ends a worker with <see cref="Api.Protocol.WorkerExit.Checkpoint"/>.</summary>
public class CheckpointException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The checkpoint is whole but of another model: falling back to an older one would hide a mistake.</summary>
public sealed class OtherModelException(string message) : CheckpointException(message);
