using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster;

/// <summary>The API is served before there are nodes, and asks them for logs once there are.</summary>
internal sealed class RoutedPodLogs : IPodLogs
{
    public IPodLogs? Target { get; set; }

    public IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(JsonObject pod, string container, PodLogOptions options, CancellationToken ct) =>
        Target?.ReadAsync(pod, container, options, ct) ?? throw ApiErrors.BadRequest($"pod {pod.Name} does not have a host assigned");
}
