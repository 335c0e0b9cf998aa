using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Scheduling;

/// <summary>What a pod asks of a node, by resource: the larger of its containers' sum and its biggest init container, plus overhead.</summary>
internal static class PodRequests
{
    public static IReadOnlyDictionary<string, decimal> Of(JsonObject pod)
    {
        var total = new Dictionary<string, decimal>(StringComparer.Ordinal);
        foreach (var container in pod.Objects("spec", "containers")) Add(total, Requests(container));

        // Sidecars (restartable init containers) run beside the main containers, so they add up; the others run alone, one after another.
        var sidecars = new Dictionary<string, decimal>(StringComparer.Ordinal);
        var peak = new Dictionary<string, decimal>(StringComparer.Ordinal);
        foreach (var container in pod.Objects("spec", "initContainers"))
        {
            if (container.Text("restartPolicy") == "Always") Add(sidecars, Requests(container));
            else Raise(peak, Requests(container), sidecars);
        }

        Add(total, sidecars);
        Raise(total, peak, []);
        Add(total, Amounts.List(pod.At("spec", "overhead")));
        return total;
    }

    private static IEnumerable<KeyValuePair<string, decimal>> Requests(JsonObject container) =>
        Amounts.List(container.At("resources", "requests"));

    private static void Add(Dictionary<string, decimal> sum, IEnumerable<KeyValuePair<string, decimal>> more)
    {
        foreach (var (resource, amount) in more) sum[resource] = sum.GetValueOrDefault(resource) + amount;
    }

    private static void Raise(Dictionary<string, decimal> peak, IEnumerable<KeyValuePair<string, decimal>> candidate, Dictionary<string, decimal> beside)
    {
        foreach (var (resource, amount) in candidate)
        {
            peak[resource] = Math.Max(peak.GetValueOrDefault(resource), amount + beside.GetValueOrDefault(resource));
        }
    }
}
