using System.Text.Json.Nodes;
using Opt.LocalCluster.Kubelet.Probes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>A container's <c>postStart</c> and <c>preStop</c>: a command in it, a request to it, or a pause.</summary>
internal sealed class LifecycleHooks(ProbeRunner runner, JsonObject container, string podIp, TimeProvider clock)
{
    /// <summary>Runs a hook to its end; null when it went well or there is none, otherwise what went wrong.</summary>
    public async Task<string?> RunAsync(string hook, TimeSpan timeout, CancellationToken ct)
    {
        if (container.At("lifecycle", hook) is not JsonObject handler) return null;
        if (handler.Number("sleep", "seconds") is not { } seconds) return await runner.AskAsync(handler, timeout, container, podIp, ct);
        var pause = TimeSpan.FromSeconds(seconds);
        await Task.Delay(timeout >= TimeSpan.Zero && timeout < pause ? timeout : pause, clock, ct);
        return null;
    }
}
