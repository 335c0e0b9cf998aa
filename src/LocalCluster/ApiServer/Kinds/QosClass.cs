using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>The quality-of-service class of a pod, from the cpu and memory of its containers.</summary>
internal static class QosClass
{
    public static string Of(JsonObject spec)
    {
        var containers = spec.Items("initContainers").Concat(spec.Items("containers")).ToArray();
        if (!containers.Any(c => HasAny(c, "requests") || HasAny(c, "limits"))) return "BestEffort";
        return containers.All(Guaranteed) ? "Guaranteed" : "Burstable";
    }

    private static bool HasAny(JsonObject container, string side) => Amount(container, side, "cpu") > 0 || Amount(container, side, "memory") > 0;

    private static bool Guaranteed(JsonObject container)
    {
        foreach (var resource in (ReadOnlySpan<string>)["cpu", "memory"])
        {
            var limit = Amount(container, "limits", resource);
            if (limit == 0 || container.At("resources", "requests", resource) is not null && Amount(container, "requests", resource) != limit) return false;
        }

        return true;
    }

    private static System.Numerics.BigInteger Amount(JsonObject container, string side, string resource) =>
        container.Str("resources", side, resource) is { } text && Quantity.TryParse(text, out var quantity) ? quantity.Nano : 0;
}
