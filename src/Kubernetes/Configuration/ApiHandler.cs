using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Opt.Kubernetes;

/// <summary>
/// Connections to the API server: HTTP/2 where TLS offers it, HTTP/1.1 otherwise, kept alive and probed. A connection is bound to the client
/// certificate it was made with, so a new certificate gets connections of its own; the old ones end when idle.
/// </summary>
internal sealed class ApiHandler(KubernetesClientConfiguration configuration) : HttpMessageHandler
{
    public static readonly HttpRequestOptionsKey<X509Certificate2?> CertificateOption = new("opt.kubernetes.certificate");

    private sealed record Connections(X509Certificate2? Certificate, HttpMessageInvoker Http);
    private readonly Lock _gate = new();
    private Connections? _current;

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Options.TryGetValue(CertificateOption, out var certificate);
        // The name asked for in TLS and checked in the certificate is the one of this header; SslOptions.TargetHost is overwritten with it.
        if (configuration.TlsServerName is { } name) request.Headers.Host = name;
        return For(certificate).SendAsync(request, cancellationToken);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _current?.Http.Dispose();
        base.Dispose(disposing);
    }

    private HttpMessageInvoker For(X509Certificate2? certificate)
    {
        lock (_gate)
        {
            // The replaced handler is not disposed: watches may still run on it. Its pool closes idle connections by itself.
            if (_current is null || _current.Certificate?.Thumbprint != certificate?.Thumbprint) _current = new(certificate, new HttpMessageInvoker(Create(certificate)));
            return _current.Http;
        }
    }

    private SocketsHttpHandler Create(X509Certificate2? certificate)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(10),
            EnableMultipleHttp2Connections = true,   // a server allows some hundred streams a connection; watches hold theirs
            // A connection that went silent (a machine that vanished, a firewall that forgot it) must be replaced before a lease is lost, which
            // happens after ten seconds; the 30 and 15 s that are usual elsewhere are known to cost leaderships.
            KeepAlivePingDelay = TimeSpan.FromSeconds(3),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(3),
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(90),
            UseCookies = false,
            AllowAutoRedirect = false,   // a redirect would carry the token to wherever it points
            SslOptions = TlsOptions(certificate),
        };
        if (configuration.Proxy is { } proxy) handler.Proxy = new WebProxy(proxy);
        return handler;
    }

    private SslClientAuthenticationOptions TlsOptions(X509Certificate2? certificate)
    {
        var options = new SslClientAuthenticationOptions();
        if (certificate is not null) options.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true);
        if (configuration.SkipTlsVerify)
        {
#pragma warning disable CA5359 // asked for by name in the kubeconfig: insecure-skip-tls-verify
            options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }
        else if (configuration.CertificateAuthorities.Count > 0)
        {
            options.CertificateChainPolicy = TrustOnly(configuration.CertificateAuthorities);
        }

        return options;
    }

    private static X509ChainPolicy TrustOnly(IReadOnlyList<X509Certificate2> authorities)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(authorities.ToArray());
        return policy;
    }
}
