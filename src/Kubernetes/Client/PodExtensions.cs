using System.Text;
using System.Text.Json;

namespace Opt.Kubernetes;

/// <summary>Operations that only pods have.</summary>
public static class PodExtensions
{
    /// <summary>
    /// Asks for an eviction, which honours disruption budgets. Returns false if a budget forbids it now (429); that is an answer, not an
    /// error, and is not repeated here.
    /// </summary>
    /// <exception cref="KubernetesException">404 if the pod is gone, 409 if the uid precondition fails, others as usual.</exception>
    public static async Task<bool> EvictAsync(this ResourceClient<V1Pod> pods, ObjectKey key, V1DeleteOptions? options, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(pods);
        var eviction = new V1Eviction { Metadata = new() { Name = key.Name, Namespace = key.Namespace }, DeleteOptions = options };
        var body = JsonSerializer.SerializeToUtf8Bytes(eviction, KubernetesJson.Default.V1Eviction);
        try
        {
            await pods.PostAsync(key, "eviction", body, Repeat.Never, "evicting", ct);
            return true;
        }
        catch (KubernetesException e) when (e.Code == 429)
        {
            return false;
        }
    }

    /// <summary>The log as far as it goes now, or its tail as <paramref name="options"/> say.</summary>
    public static async Task<string> ReadLogAsync(this ResourceClient<V1Pod> pods, ObjectKey key, LogOptions options, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(pods);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Follow) throw new ArgumentException("A followed log has no end; use FollowLogAsync.", nameof(options));
        return Encoding.UTF8.GetString((await pods.GetAsync(key, "log", options.ToQuery(), ct)).Body.Span);
    }

    /// <summary>The log line by line; with <see cref="LogOptions.Follow"/> until the container ends. Silence is no fault: only the caller ends it.</summary>
    /// <exception cref="KubernetesException">Refused, or the connection broke: no answer.</exception>
    public static async IAsyncEnumerable<string> FollowLogAsync(
        this ResourceClient<V1Pod> pods, ObjectKey key, LogOptions options, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(pods);
        ArgumentNullException.ThrowIfNull(options);
        using var response = await pods.OpenAsync(key, "log", options.ToQuery(), ct);
        await using var stream = await response.Content.ReadAsStreamAsync(ct);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        while (await ReadLineAsync(reader, key, ct) is { } line) yield return line;
    }

    private static async Task<string?> ReadLineAsync(StreamReader reader, ObjectKey key, CancellationToken ct)
    {
        try
        {
            return await reader.ReadLineAsync(ct);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new KubernetesException($"reading the log of pods {key}", e);
        }
    }
}
