using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Probes;

/// <summary>What a probe is for.</summary>
public enum ProbeKind { Startup, Readiness, Liveness }

/// <summary>A container's probe with its defaults filled in.</summary>
internal sealed record ProbeSpec(ProbeKind Kind, JsonObject Handler, TimeSpan InitialDelay, TimeSpan Period, TimeSpan Timeout, int SuccessThreshold, int FailureThreshold, TimeSpan? TerminationGrace)
{
    public static IEnumerable<ProbeSpec> Of(JsonObject container)
    {
        foreach (var kind in Enum.GetValues<ProbeKind>())
        {
            if (container[$"{kind.ToString().ToLowerInvariant()}Probe"] is JsonObject probe) yield return From(kind, probe);
        }
    }

    private static ProbeSpec From(ProbeKind kind, JsonObject probe) => new(
        kind,
        probe,
        TimeSpan.FromSeconds(probe.Number("initialDelaySeconds") ?? 0),
        TimeSpan.FromSeconds(Math.Max(1, probe.Number("periodSeconds") ?? 10)),
        TimeSpan.FromSeconds(Math.Max(1, probe.Number("timeoutSeconds") ?? 1)),
        (int)Math.Max(1, probe.Number("successThreshold") ?? 1),
        (int)Math.Max(1, probe.Number("failureThreshold") ?? 3),
        probe.Number("terminationGracePeriodSeconds") is { } grace ? TimeSpan.FromSeconds(grace) : null);
}
