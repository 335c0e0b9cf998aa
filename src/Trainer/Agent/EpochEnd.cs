using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Agent;

/// <summary>Tells when the store is fenced past a plan's epoch: what its workers still hold can never be committed.</summary>
internal static class EpochEnd
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    /// <summary>Reads the log after every pause until a newer epoch, or another job, owns the store. A store that does not answer, or not with a log, is asked again.</summary>
    public static async Task WaitAsync(CommitLog log, RunPlan plan, TimeSpan pause, TimeProvider time, CancellationToken ct)
    {
        do await Task.Delay(pause, time, ct);
        while (!await IsOverAsync(log, plan, time, ct));
    }

    private static async Task<bool> IsOverAsync(CommitLog log, RunPlan plan, TimeProvider time, CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(Deadline, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        try
        {
            var state = await log.ReadAsync(either.Token);
            return state.FencedEpoch > plan.Epoch || (state.FencedEpoch > 0 && state.JobUid != plan.JobUid);
        }
        catch (Exception e) when (e is StoreException or CheckpointException)
        {
            return false;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return false;
        }
    }
}
