using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Planning;

namespace Opt.Operator.Jobs;

/// <summary>Writes status, transitions at once and numbers at most once an interval, and publishes the events once they are true in the API.</summary>
internal sealed class StatusPublisher(KubernetesClient client, EventRecorder events, TimeSpan interval, TimeProvider clock)
{
    private readonly ResourceClient<JobObject> _jobs = client.Resource(JobObject.Definition);

    /// <returns>When the numbers that were held back are due; null when nothing was.</returns>
    public async Task<TimeSpan?> PublishAsync(JobObject job, JobState state, OptTrainingJobStatus status, CancellationToken ct)
    {
        state.Status = status;
        if (status == state.Written) return null;
        var left = interval - clock.GetElapsedTime(state.WrittenAt);
        if (!IsTransition(state.Written, status) && left > TimeSpan.Zero) return left;
        await WriteAsync(job, status, ct);
        var announcements = Announcements.Between(state.Written, status);
        (state.Written, state.WrittenAt) = (status, clock.GetTimestamp());
        foreach (var said in announcements) events.Publish(JobObject.Definition.ReferenceTo(job), said.Warning ? EventType.Warning : EventType.Normal, said.Reason, said.Reason, said.Message);
        return null;
    }

    /// <summary>What people and programs wait for: phase, epoch, conditions that flip, the begin and the end of a restore, logbook entries.</summary>
    private static bool IsTransition(OptTrainingJobStatus? old, OptTrainingJobStatus now) => old is null
        || (old.Phase, old.Epoch, old.Revision, old.ObservedGeneration) != (now.Phase, now.Epoch, now.Revision, now.ObservedGeneration)
        || old.Logbook != now.Logbook
        || (old.Restore is null) != (now.Restore is null)
        || !old.Conditions.Select(c => (c.Type, c.Status, c.Reason)).SequenceEqual(now.Conditions.Select(c => (c.Type, c.Status, c.Reason)));

    private async Task WriteAsync(JobObject job, OptTrainingJobStatus status, CancellationToken ct)
    {
        var fields = new JsonObject
        {
            ["apiVersion"] = job.ApiVersion,
            ["kind"] = job.Kind,
            // The uid makes the write fail if the job was deleted and made again meanwhile.
            ["metadata"] = new JsonObject { ["name"] = job.Metadata.Name, ["namespace"] = job.Metadata.Namespace, ["uid"] = job.Metadata.Uid },
            ["status"] = JsonSerializer.SerializeToNode(status, SpecJson.Default.OptTrainingJobStatus),
        };
        await _jobs.ApplyAsync(job.Key, fields, force: true, ct, subresource: "status");
    }
}
