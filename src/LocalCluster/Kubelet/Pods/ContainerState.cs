using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>Everything the kubelet remembers about a container of a pod. Immutable: each event makes the next one.</summary>
internal sealed record ContainerState(string Name, ContainerKind Kind, JsonObject Spec)
{
    public Run Run { get; init; } = new Run.Waiting("ContainerCreating");

    /// <summary>How the instance before this one ended.</summary>
    public Run.Terminated? Last { get; init; }

    public int RestartCount { get; init; }

    /// <summary>Starts since the back-off was last reset: what the next delay doubles with.</summary>
    public int BackoffLevel { get; init; }

    /// <summary>When a failed attempt to set it up or pull its image may be repeated.</summary>
    public DateTimeOffset? RetryAt { get; init; }

    /// <summary>The startup probe has succeeded, or there is none.</summary>
    public bool Started { get; init; }

    /// <summary>The readiness probe's verdict; without one, true from the start.</summary>
    public bool Ready { get; init; }

    public string ContainerId { get; init; } = "";

    public string LastContainerId { get; init; } = "";

    public bool IsRunning => Run is Run.Running;

    public bool HasSucceeded => Run is Run.Terminated { ExitCode: 0 };

    /// <summary>The containers of a pod in the order they start.</summary>
    public static IReadOnlyList<ContainerState> Of(JsonObject pod) =>
    [
        .. pod.Objects("spec", "initContainers").Select(c => new ContainerState(c.Text("name") ?? "", c.Text("restartPolicy") == "Always" ? ContainerKind.Sidecar : ContainerKind.Init, c) { Run = new Run.Waiting("PodInitializing") }),
        .. pod.Objects("spec", "containers").Select(c => new ContainerState(c.Text("name") ?? "", ContainerKind.Main, c)
        {
            Run = new Run.Waiting(pod.Objects("spec", "initContainers").Any() ? "PodInitializing" : "ContainerCreating"),
        }),
    ];

    /// <summary>
    /// Takes over what the API says of a container that this kubelet knows nothing about, because the machine or the kubelet was restarted: whatever ran is gone.
    /// </summary>
    public ContainerState Recovered(JsonObject? status, DateTimeOffset now)
    {
        if (status is null) return this;
        return (this with { ContainerId = status.Text("containerID") ?? "", LastContainerId = status.Text("lastState", "terminated", "containerID") ?? "" }).WithRunOf(status, now);
    }

    private ContainerState WithRunOf(JsonObject status, DateTimeOffset now)
    {
        var restarts = (int)(status.Number("restartCount") ?? 0);
        if (status.At("state", "terminated") is JsonObject ended && Kind == ContainerKind.Init) return this with { RestartCount = restarts, Run = From(ended, now) };
        if (status.At("state", "running") is null && status.At("state", "terminated") is null) return this with { RestartCount = restarts };
        var lost = status.At("state", "terminated") is JsonObject known ? From(known, now)
            : new Run.Terminated(255, "Unknown", status.Time("state", "running", "startedAt") ?? now, now);
        return this with { RestartCount = restarts, Run = lost };
    }

    private static Run.Terminated From(JsonObject ended, DateTimeOffset now) => new(
        (int)(ended.Number("exitCode") ?? 255), ended.Text("reason") ?? "Unknown", ended.Time("startedAt") ?? now, ended.Time("finishedAt") ?? now, ended.Text("message"));
}
