using Opt.Api.Protocol;

namespace Opt.Trainer;

/// <summary>A failure with a documented exit code and a one-line cause, written to standard error as <c>opt-trainer: exit-name: message</c>.</summary>
public sealed class TrainerException : Exception
{
    public TrainerException(WorkerExit exit, string message)
        : base(message) => Exit = exit;

    public TrainerException(WorkerExit exit, string message, Exception inner)
        : base(message, inner) => Exit = exit;

    /// <summary>The exit code of the process that ends because of this.</summary>
    public WorkerExit Exit { get; }
}
