using Opt.Api.Protocol;

namespace Opt.Trainer.Workers;

/// <summary>
/// The worker's side of the link to its agent. Reports are queued and never block training; they arrive in order, and all that were queued
/// before <see cref="IAsyncDisposable.DisposeAsync"/> arrive unless the agent is gone.
/// </summary>
public interface IWorkerChannel : IAsyncDisposable
{
    /// <summary>Cancelled when the agent is gone (end of file): the worker ends at once with <see cref="WorkerExit.AgentLost"/>.</summary>
    CancellationToken AgentLost { get; }

    /// <summary>The worker entered <paramref name="state"/>.</summary>
    void ReportState(WorkerState state);

    /// <summary>Share of the restore that is done, 0 to 1. Reports closer than the agent can use are dropped.</summary>
    void ReportRestoreProgress(double share);

    /// <summary>Rank 0: one finished attempt. Never dropped.</summary>
    void ReportStep(StepRecord record);

    /// <summary>Other ranks: the newest attempt finished, which shows that they live.</summary>
    void ReportAttempt(long attempt);

    /// <summary>Why the worker is about to end; its exit code says the same. One line of text for people.</summary>
    void ReportFailure(WorkerExit exit, string message);

    /// <summary>Rank 0, at the start of an attempt: the oldest request not yet taken. Requests arrive in order of revision.</summary>
    bool TryTakeControl(out ControlRequest request);
}
