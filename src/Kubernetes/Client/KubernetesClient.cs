using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Opt.Kubernetes;

/// <summary>
/// A client of one API server: rate limit, deadlines, retries, credentials. Thread-safe; make one and keep it, or two if leases must
/// not wait behind other requests. <see cref="Resource{T}"/> gives the operations.
/// </summary>
public sealed class KubernetesClient : IDisposable
{
    private readonly ApiTransport _transport;

    /// <summary>Connects as <paramref name="configuration"/> says. Nothing is sent before the first request.</summary>
    public KubernetesClient(
        KubernetesClientConfiguration configuration, KubernetesClientOptions? options = null, TimeProvider? clock = null, ILogger<KubernetesClient>? logger = null, ClientMetrics? metrics = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        clock ??= TimeProvider.System;
        var credentials = configuration.CreateCredentialSource(clock);
        var invoker = new HttpMessageInvoker(new ApiHandler(configuration));
        _transport = new(configuration.Host, invoker, credentials, (options ?? new()).Validate(), clock, logger ?? NullLogger<KubernetesClient>.Instance, metrics ?? ClientMetrics.Unlistened);
        Namespace = configuration.Namespace;
    }

    /// <summary>Sends through <paramref name="handler"/>, for an API server inside the process.</summary>
    public KubernetesClient(
        Uri host, HttpMessageHandler handler, KubernetesClientOptions? options = null, TimeProvider? clock = null, ILogger<KubernetesClient>? logger = null, ClientMetrics? metrics = null)
    {
        var invoker = new HttpMessageInvoker(handler);
        _transport = new(host, invoker, new StaticCredential(Credential.None), (options ?? new()).Validate(), clock ?? TimeProvider.System, logger ?? NullLogger<KubernetesClient>.Instance, metrics ?? ClientMetrics.Unlistened);
        Namespace = "default";
    }

    /// <summary>The namespace that kubeconfig or the pod's service account names; "default" without one.</summary>
    public string Namespace { get; }

    public KubernetesClientOptions Options => _transport.Options;

    /// <summary>The operations on one resource.</summary>
    public ResourceClient<T> Resource<T>(ResourceDefinition<T> definition) where T : class => new(definition, _transport);

    /// <summary>The server's version, e.g. <c>v1.36.2</c>.</summary>
    /// <exception cref="KubernetesException">The server refused, or did not answer.</exception>
    public async Task<string> GetVersionAsync(CancellationToken ct)
    {
        var response = await _transport.SendAsync(new(HttpMethod.Get, "/version", Repeat.Safe) { Resource = "version", Doing = "reading the version" }, ct);
        using var json = JsonDocument.Parse(response.Body);
        return json.RootElement.GetProperty("gitVersion").GetString()!;
    }

    public void Dispose() => _transport.Dispose();
}
