using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>Renders the status the kubelet reports.</summary>
internal static class PodStatus
{
    /// <param name="sandboxReady">The pod has its address and its volumes.</param>
    /// <param name="ending">The pod is being stopped: it is not ready any more, whatever its probes say.</param>
    public static JsonObject Render(JsonObject pod, IReadOnlyList<ContainerState> containers, string podIp, string hostIp, DateTimeOffset startTime, bool sandboxReady, bool ending, DateTimeOffset now)
    {
        var phase = PodPhase.Of(pod, containers);
        if (ending && containers.All(c => !c.IsRunning) && phase is "Running" or "Pending") phase = FinalPhase(containers);
        var status = new JsonObject
        {
            ["observedGeneration"] = pod.Generation,
            ["phase"] = phase,
            ["conditions"] = Conditions(pod, containers, phase, sandboxReady, ending, now),
            ["hostIP"] = hostIp,
            ["hostIPs"] = new JsonArray(new JsonObject { ["ip"] = hostIp }),
            ["startTime"] = startTime.ToKubernetesTime(),
        };
        if (sandboxReady)
        {
            status["podIP"] = podIp;
            status["podIPs"] = new JsonArray(new JsonObject { ["ip"] = podIp });
        }

        AddStatuses(status, "initContainerStatuses", containers.Where(c => c.Kind != ContainerKind.Main), ending);
        AddStatuses(status, "containerStatuses", containers.Where(c => c.Kind == ContainerKind.Main), ending);
        return status;
    }

    private static string FinalPhase(IReadOnlyList<ContainerState> containers) =>
        containers.Where(c => c.Kind == ContainerKind.Main).All(c => c.HasSucceeded) ? "Succeeded" : "Failed";

    private static JsonArray Conditions(JsonObject pod, IReadOnlyList<ContainerState> containers, string phase, bool sandboxReady, bool ending, DateTimeOffset now)
    {
        var finished = phase switch { "Succeeded" => "PodCompleted", "Failed" => "PodFailed", _ => null };
        var uninitialized = containers.Where(c => c.Kind == ContainerKind.Init ? !c.HasSucceeded : c.Kind == ContainerKind.Sidecar && !c.Started).Select(c => c.Name).ToList();
        var unready = containers.Where(c => c.Kind != ContainerKind.Init && (!c.IsRunning || !c.Ready || ending)).Select(c => c.Name).ToList();
        var gates = pod.Objects("spec", "readinessGates").Select(g => g.Text("conditionType") ?? "").Where(type => !Condition.IsTrue(pod, type)).ToList();

        JsonObject Make(string type, bool good, string? reason, string? message) => Render(pod, type, good, good ? null : finished ?? reason, good || finished is not null ? null : message, now);
        var unreadyText = $"containers with unready status: [{string.Join(' ', unready)}]";
        return
        [
            Make("PodReadyToStartContainers", sandboxReady && finished is null, null, null),
            Make("Initialized", uninitialized.Count == 0 || phase == "Succeeded", "ContainersNotInitialized", $"containers with incomplete status: [{string.Join(' ', uninitialized)}]"),
            unready.Count > 0 || finished is not null
                ? Make("Ready", false, "ContainersNotReady", unreadyText)
                : Make("Ready", gates.Count == 0, "ReadinessGatesNotReady", $"corresponding condition of pod readiness gate \"{string.Join(", ", gates)}\" does not exist."),
            Make("ContainersReady", unready.Count == 0 && finished is null, "ContainersNotReady", unreadyText),
        ];
    }

    private static JsonObject Render(JsonObject pod, string type, bool good, string? reason, string? message, DateTimeOffset now)
    {
        var status = good ? "True" : "False";
        var before = Condition.Find(pod, type);
        var condition = new JsonObject
        {
            ["type"] = type, ["observedGeneration"] = pod.Generation, ["status"] = status, ["lastProbeTime"] = null,
            ["lastTransitionTime"] = before.Text("status") == status ? before.Text("lastTransitionTime") : now.ToKubernetesTime(),
            // A strategic merge keeps what is not mentioned, so what does not hold any more is taken away by null.
            ["reason"] = reason, ["message"] = message,
        };
        return condition;
    }

    private static void AddStatuses(JsonObject status, string field, IEnumerable<ContainerState> containers, bool ending)
    {
        var statuses = new JsonArray([.. containers.Select(c => (JsonNode)Render(c, ending))]);
        if (statuses.Count > 0) status[field] = statuses;
    }

    private static JsonObject Render(ContainerState c, bool ending)
    {
        var image = c.Spec.Text("image") ?? "";
        return new JsonObject
        {
            ["name"] = c.Name,
            ["state"] = Render(c.Run, c.ContainerId),
            ["lastState"] = c.Last is null ? new JsonObject() : Render(c.Last, c.LastContainerId),
            ["ready"] = c.Kind == ContainerKind.Init ? c.HasSucceeded : c.IsRunning && c.Ready && !ending,
            ["restartCount"] = c.RestartCount,
            ["image"] = image,
            ["imageID"] = c.ContainerId.Length > 0 ? $"opt-local://{image}" : "",
            ["containerID"] = c.ContainerId,
            ["started"] = c.IsRunning && c.Started,
        };
    }

    private static JsonObject Render(Run run, string id) => run switch
    {
        Run.Waiting waiting => new JsonObject { ["waiting"] = WithMessage(new JsonObject { ["reason"] = waiting.Reason }, waiting.Message) },
        Run.Running running => new JsonObject { ["running"] = new JsonObject { ["startedAt"] = running.StartedAt.ToKubernetesTime() } },
        Run.Terminated ended => new JsonObject
        {
            ["terminated"] = WithMessage(
                new JsonObject
                {
                    ["exitCode"] = ended.ExitCode, ["reason"] = ended.Reason, ["startedAt"] = ended.StartedAt.ToKubernetesTime(), ["finishedAt"] = ended.FinishedAt.ToKubernetesTime(), ["containerID"] = id,
                }, ended.Message),
        },
        _ => throw new System.Diagnostics.UnreachableException(run.GetType().Name),
    };

    private static JsonObject WithMessage(JsonObject o, string? message)
    {
        if (message is not null) o["message"] = message;
        return o;
    }
}
