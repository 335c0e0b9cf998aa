using System.Text.Json.Nodes;
using Opt.LocalCluster.Kubelet.Pods;

namespace Opt.LocalCluster.Simulation;

/// <summary>The status of a simulated pod, rendered as the process kubelet renders it.</summary>
internal static class SimulatedStatus
{
    public static JsonObject Render(JsonObject pod, SimulatedRun run, string hostIp, bool ending, DateTimeOffset now)
    {
        Run state = run.ExitCode is { } code ? new Run.Terminated(code, code == 0 ? "Completed" : "Error", run.StartedAt, now) : new Run.Running(run.StartedAt);
        var containers = ContainerState.Of(pod).Select(c => c with
        {
            Run = c.Kind == ContainerKind.Init ? new Run.Terminated(0, "Completed", run.StartedAt, run.StartedAt) : state,
            RestartCount = run.Restarts,
            Started = true,
            Ready = run.IsReady,
            ContainerId = $"opt-local://{run.Context.Ip}-{c.Name}-{run.Restarts}",
        }).ToList();
        return PodStatus.Render(pod, containers, run.Context.Ip, hostIp, run.StartedAt, sandboxReady: true, ending, now);
    }
}
