using System.Text.Json.Nodes;

namespace Opt.LocalCluster.ApiServer;

/// <summary>Where the log subresource of pods reads: the kubelets.</summary>
public interface IPodLogs
{
    /// <summary>
    /// Yields the log of one container of <paramref name="pod"/>, in pieces as they come; with <see cref="PodLogOptions.Follow"/> until the
    /// container ends.
    /// </summary>
    /// <exception cref="ApiException">There is no such log.</exception>
    IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(JsonObject pod, string container, PodLogOptions options, CancellationToken ct);
}

/// <summary>The query of a log request.</summary>
public sealed record PodLogOptions
{
    public bool Follow { get; init; }
    public bool Previous { get; init; }
    public bool Timestamps { get; init; }
    public long? TailLines { get; init; }
    public long? LimitBytes { get; init; }
    public DateTimeOffset? Since { get; init; }
}
