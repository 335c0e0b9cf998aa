using System.Collections.Concurrent;
using Opt.Api.Protocol;
using Opt.Trainer.Workers;

namespace Opt.Trainer.Tests.Loop;

/// <summary>A worker's link that keeps what is reported and hands out the requests a test queued.</summary>
internal sealed class MemoryChannel : IWorkerChannel
{
    private readonly CancellationTokenSource _lost = new();

    public List<StepRecord> Steps { get; } = [];
    public List<WorkerState> States { get; } = [];
    public long LastAttempt { get; private set; }
    public ConcurrentQueue<ControlRequest> Requests { get; } = new();

    /// <summary>Called with every record, before the next attempt.</summary>
    public Action<StepRecord>? OnStep { get; init; }

    public CancellationToken AgentLost => _lost.Token;

    public void LoseAgent() => _lost.Cancel();

    public void ReportState(WorkerState state) => States.Add(state);

    public void ReportRestoreProgress(double share)
    {
    }

    public void ReportStep(StepRecord record)
    {
        Steps.Add(record);
        LastAttempt = record.Attempt;
        OnStep?.Invoke(record);
    }

    public void ReportAttempt(long attempt) => LastAttempt = attempt;

    public void ReportFailure(WorkerExit exit, string message)
    {
    }

    public bool TryTakeControl(out ControlRequest request) => Requests.TryDequeue(out request!);

    public ValueTask DisposeAsync()
    {
        _lost.Dispose();
        return ValueTask.CompletedTask;
    }
}
