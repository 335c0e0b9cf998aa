using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Workloads;

/// <summary>A batch Job without indexes: runs pods until enough succeeded, gives up after too many failures.</summary>
internal static class JobDecision
{
    private const string ExhaustedMessage = "Job has reached the specified backoff limit";
    private static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMinutes(10);

    public static Decision Decide(JsonObject job, IReadOnlyList<JsonObject> pods, DateTimeOffset now)
    {
        if (job.IsTerminating || Condition.IsTrue(job, "Complete") || Condition.IsTrue(job, "Failed")) return Decision.Nothing;
        var succeeded = pods.Count(pod => pod.Phase == "Succeeded");
        var failed = pods.Count(pod => pod.Phase == "Failed");
        var active = pods.Where(pod => !pod.IsFinished && !pod.IsTerminating).ToList();
        var wanted = (int)(job.Number("spec", "completions") ?? 1);
        var complete = succeeded >= wanted;
        var exhausted = failed > (job.Number("spec", "backoffLimit") ?? 6);
        var suspended = job.Flag("spec", "suspend");

        List<Act> acts = [];
        TimeSpan? wait = null;
        if (complete || exhausted || suspended) acts.AddRange(active.Select(pod => new Act.Delete(Kinds.Pods, pod)));
        else if (Delay(pods, now) is { } delay) wait = delay;
        else acts.AddRange(Enumerable.Range(0, Math.Max(0, Math.Min((int)(job.Number("spec", "parallelism") ?? 1), wanted - succeeded) - active.Count)).Select(_ => Create(job)));
        var status = Status(job, succeeded, failed, complete || exhausted ? [] : active, complete ? "Complete" : exhausted ? "Failed" : null, now);
        if (!JsonNode.DeepEquals(status, job["status"])) acts.Add(Act.ReplaceStatus(Kinds.Jobs, job, status));
        if (complete) acts.Add(new Act.Announce(Announcement.Normal(job, "Completed", "Job completed")));
        else if (exhausted) acts.Add(new Act.Announce(Announcement.Warning(job, "BackoffLimitExceeded", ExhaustedMessage)));
        return new(acts, wait);
    }

    // A pod that failed is followed by another after 10 s, then 20 s, 40 s ... since the last success.
    private static TimeSpan? Delay(IReadOnlyList<JsonObject> pods, DateTimeOffset now)
    {
        var finished = pods.Where(pod => pod.IsFinished).OrderByDescending(FinishedAt).ToList();
        var failures = finished.TakeWhile(pod => pod.Phase == "Failed").Count();
        if (failures == 0) return null;
        var delay = TimeSpan.FromTicks(Math.Min(LongestDelay.Ticks, FirstDelay.Ticks << Math.Min(failures - 1, 10)));
        var left = FinishedAt(finished[0]) + delay - now;
        return left > TimeSpan.Zero ? left : null;
    }

    private static DateTimeOffset FinishedAt(JsonObject pod) =>
        pod.Objects("status", "containerStatuses").Max(status => status.Time("state", "terminated", "finishedAt")) ?? pod.CreationTime ?? default;

    private static JsonObject Status(JsonObject job, int succeeded, int failed, List<JsonObject> active, string? finished, DateTimeOffset now)
    {
        var status = (job["status"] as JsonObject)?.Copy() ?? [];
        status["startTime"] ??= now.ToKubernetesTime();
        Set(status, "active", active.Count);
        Set(status, "ready", active.Count(pod => pod.IsPodReady), always: true);
        Set(status, "succeeded", succeeded);
        Set(status, "failed", failed);
        status["terminating"] = 0;
        status["uncountedTerminatedPods"] = new JsonObject();
        if (finished is null) return status;
        if (finished == "Complete") status["completionTime"] = now.ToKubernetesTime();
        var (reason, message) = finished == "Complete" ? ("CompletionsReached", "Reached expected number of succeeded pods") : ("BackoffLimitExceeded", ExhaustedMessage);
        status["conditions"] = new JsonArray(Reached(finished == "Complete" ? "SuccessCriteriaMet" : "FailureTarget", reason, message, now), Reached(finished, reason, message, now));
        return status;
    }

    private static JsonObject Reached(string type, string reason, string message, DateTimeOffset now) => new()
    {
        ["type"] = type, ["status"] = "True", ["lastProbeTime"] = now.ToKubernetesTime(), ["lastTransitionTime"] = now.ToKubernetesTime(), ["reason"] = reason, ["message"] = message,
    };

    private static void Set(JsonObject status, string field, int count, bool always = false)
    {
        if (count > 0 || always) status[field] = count;
        else status.Remove(field);
    }

    private static Act.Create Create(JsonObject job)
    {
        var template = (JsonObject)job.At("spec", "template")!;
        var metadata = (template["metadata"] as JsonObject)?.Copy() ?? [];
        metadata["generateName"] = $"{job.Name}-";
        metadata["namespace"] = job.Namespace;
        metadata["ownerReferences"] = OwnerReference.ToController("batch/v1", "Job", job);
        var pod = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod", ["metadata"] = metadata, ["spec"] = template["spec"]!.DeepClone() };
        return new(Kinds.Pods, pod, new(job, "Normal", "SuccessfulCreate", "Created pod: {name}", "FailedCreate", "Error creating: {0}"));
    }
}
