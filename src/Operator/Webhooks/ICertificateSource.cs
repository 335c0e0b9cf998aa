using System.Security.Cryptography.X509Certificates;

namespace Opt.Operator.Webhooks;

/// <summary>Where the serving certificate comes from.</summary>
internal interface ICertificateSource
{
    /// <summary>The certificate to serve from now on; null when it is the one served already.</summary>
    /// <exception cref="Opt.Kubernetes.KubernetesException">The API server refused, or did not answer.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    Task<X509Certificate2?> RefreshAsync(CancellationToken ct);
}
