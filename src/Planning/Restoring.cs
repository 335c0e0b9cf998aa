using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>How far a launch is with restoring its checkpoint, from what the agents say of their workers.</summary>
internal static class Restoring
{
    /// <summary>Shards that are shown.</summary>
    public const int Shown = 8;

    /// <summary>Null unless a worker of the newest plan restores right now.</summary>
    public static RestoreStatus? Of(Situation s)
    {
        if (s.Plan?.Resume is not { } resume) return null;
        var workers = s.Members.Where(m => m.Runs(s.Plan)).SelectMany(m => m.Status!.Workers.Select(w => (m.Planned.Pod, Worker: w))).ToArray();
        var restoring = workers.Where(w => w.Worker.State is WorkerState.Restoring).ToArray();
        if (restoring.Length == 0) return null;
        return new()
        {
            Step = resume.Step,
            Workers = s.Plan.WorldSize,
            Done = workers.Count(w => Share(w.Worker) >= 1),
            Progress = Math.Round(workers.Sum(w => Share(w.Worker)) / s.Plan.WorldSize, 3),
            SecondsLeft = restoring.All(w => w.Worker.RestoreSecondsLeft is not null) ? Math.Round(restoring.Max(w => w.Worker.RestoreSecondsLeft!.Value), 1) : null,
            Slowest =
            [
                .. restoring.OrderBy(w => Share(w.Worker)).ThenBy(w => w.Worker.Rank).Take(Shown)
                    .Select(w => new ShardRestoreStatus { Rank = w.Worker.Rank, Pod = w.Pod, Progress = Math.Round(Share(w.Worker), 3), SecondsLeft = w.Worker.RestoreSecondsLeft }),
            ],
        };
    }

    private static double Share(WorkerStatus worker) => worker.State switch
    {
        WorkerState.Restoring => worker.RestoreProgress ?? 0,
        WorkerState.Training or WorkerState.Exited => 1,
        _ => 0,
    };
}
