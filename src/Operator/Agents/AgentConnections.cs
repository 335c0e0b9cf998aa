using System.Collections.Concurrent;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Opt.Operator.Rendering;

namespace Opt.Operator.Agents;

/// <summary>Kept-alive connections to agents. Those over TLS are kept apart by the certificates that they may show: one made for one job serves no other.</summary>
internal sealed class AgentConnections(HttpMessageInvoker plain) : IDisposable
{
    private readonly ConcurrentDictionary<(string Pin, string? Former), Lazy<HttpMessageInvoker>> _pinned = new();

    public HttpMessageInvoker For(AgentTarget target) => target.Pin is not { } pin
        ? plain
        : _pinned.GetOrAdd((pin, target.FormerPin), pins => new(() => Open((_, certificate, _, _) => certificate is not null && AgentSecret.PinOf(certificate) is var shown && (shown == pins.Pin || shown == pins.Former)))).Value;

    public void Dispose()
    {
        plain.Dispose();
        foreach (var pinned in _pinned.Values) pinned.Value.Dispose();
    }

    /// <param name="accepts">Which certificate may be shown.</param>
    public static HttpMessageInvoker Open(RemoteCertificateValidationCallback? accepts) => new(new SocketsHttpHandler
    {
        ConnectTimeout = TimeSpan.FromSeconds(3),
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
        UseProxy = false,
        AllowAutoRedirect = false,
        MaxConnectionsPerServer = 4,   // long poll, status, and room for a write
        SslOptions = new() { RemoteCertificateValidationCallback = accepts, CertificateRevocationCheckMode = X509RevocationMode.NoCheck },
    });
}
