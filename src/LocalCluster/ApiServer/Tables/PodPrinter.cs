using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Tables;

/// <summary>The cells of a pod, whose status is a story told by its containers.</summary>
internal static class PodPrinter
{
    public static string Ready(JsonObject pod)
    {
        var total = pod.Items("spec", "containers").Count() + pod.Items("spec", "initContainers").Count(c => c.Str("restartPolicy") == "Always");
        var ready = pod.Items("status", "containerStatuses").Count(c => c["ready"].Bool() == true && c.Obj("state", "running") is not null);
        return string.Create(CultureInfo.InvariantCulture, $"{ready}/{total}");
    }

    public static string Status(JsonObject pod)
    {
        var reason = pod.Str("status", "reason") is { Length: > 0 } said ? said : pod.Str("status", "phase") ?? "";
        if (pod.Items("status", "conditions").Any(c => c.Str("type") == "PodScheduled" && c.Str("reason") == "SchedulingGated" && c.Str("status") == "False")) reason = "SchedulingGated";
        reason = Initializing(pod) ?? Containers(pod, reason);
        if (!pod.IsDeleting()) return reason;
        if (pod.Str("status", "reason") == "NodeLost") return "Unknown";
        return pod.Str("status", "phase") is "Succeeded" or "Failed" ? reason : "Terminating";
    }

    public static string Restarts(JsonObject pod, DateTimeOffset now)
    {
        var statuses = pod.Items("status", "containerStatuses").ToArray();
        var count = statuses.Sum(s => s["restartCount"].Long() ?? 0);
        DateTimeOffset? last = null;
        foreach (var status in statuses)
        {
            if (Scalars.TryTime(status.Str("lastState", "terminated", "finishedAt"), out var at) && (last is null || at > last)) last = at;
        }

        return count == 0 || last is null ? count.ToString(CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{count} ({HumanDuration.Of(now - last.Value)} ago)");
    }

    public static string Gates(JsonObject pod)
    {
        var gates = pod.Items("spec", "readinessGates").Select(g => g.Str("conditionType")).ToArray();
        if (gates.Length == 0) return "<none>";
        var met = gates.Count(g => pod.Items("status", "conditions").Any(c => c.Str("type") == g && c.Str("status") == "True"));
        return string.Create(CultureInfo.InvariantCulture, $"{met}/{gates.Length}");
    }

    private static string? Initializing(JsonObject pod)
    {
        var total = pod.Items("spec", "initContainers").Count();
        var index = 0;
        foreach (var status in pod.Items("status", "initContainerStatuses"))
        {
            var state = status.Obj("state") ?? [];
            var done = state.Obj("terminated") is { } ended && ended.Long("exitCode") == 0 || status["started"].Bool() == true;
            if (!done) return "Init:" + Phase(state, string.Create(CultureInfo.InvariantCulture, $"{index}/{total}"));
            index++;
        }

        return null;
    }

    private static string Phase(JsonObject state, string otherwise)
    {
        if (state.Obj("terminated") is { } ended) return ended.Str("reason") is { Length: > 0 } reason ? reason : Exit(ended);
        return state.Str("waiting", "reason") is { Length: > 0 } waits && waits != "PodInitializing" ? waits : otherwise;
    }

    private static string Exit(JsonObject ended) =>
        ended.Long("signal") is > 0 and var signal ? string.Create(CultureInfo.InvariantCulture, $"Signal:{signal}") : string.Create(CultureInfo.InvariantCulture, $"ExitCode:{ended.Long("exitCode") ?? 0}");

    private static string Containers(JsonObject pod, string reason)
    {
        var running = false;
        foreach (var status in pod.Items("status", "containerStatuses").Reverse())
        {
            if (status.Str("state", "waiting", "reason") is { Length: > 0 } waits) reason = waits;
            else if (status.Obj("state", "terminated") is { } ended) reason = ended.Str("reason") is { Length: > 0 } said ? said : Exit(ended);
            else if (status["ready"].Bool() == true && status.Obj("state", "running") is not null) running = true;
        }

        if (reason != "Completed" || !running) return reason;
        return pod.Items("status", "conditions").Any(c => c.Str("type") == "Ready" && c.Str("status") == "True") ? "Running" : "NotReady";
    }
}
