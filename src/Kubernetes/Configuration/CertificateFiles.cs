using System.Security.Cryptography.X509Certificates;

namespace Opt.Kubernetes;

/// <summary>
/// A client certificate and its key in files that something else renews, as kubeadm and cert-manager do. Read again every minute, and at once when the
/// server refuses; new connections then use the new pair. While the two files do not fit together, because only one has been replaced yet, the pair
/// at hand stays.
/// </summary>
internal sealed class CertificateFiles(ICredentialSource inner, KubernetesClientConfiguration configuration, TimeProvider clock) : ICredentialSource
{
    private static readonly TimeSpan ReadEvery = TimeSpan.FromMinutes(1);
    private sealed record Pair(string Text, string Key, X509Certificate2 Certificate, long ReadAt);
    private readonly (string Certificate, string Key) _files = (configuration.ClientCertificateFile!, configuration.ClientKeyFile!);
    private volatile Pair? _pair;

    public async ValueTask<Credential> GetAsync(bool refresh, CancellationToken ct)
    {
        var credential = await inner.GetAsync(refresh, ct);
        // A plugin's own certificate wins; the configured one is what these files hold.
        if (credential.Certificate is { } other && !ReferenceEquals(other, configuration.ClientCertificate)) return credential;
        if (refresh || _pair is not { } pair || clock.GetElapsedTime(pair.ReadAt) >= ReadEvery) pair = _pair = await ReadAsync(ct);
        return credential with { Certificate = pair.Certificate };
    }

    public void Dispose() => inner.Dispose();

    private async Task<Pair> ReadAsync(CancellationToken ct)
    {
        var now = clock.GetTimestamp();
        try
        {
            var (text, key) = (await File.ReadAllTextAsync(_files.Certificate, ct), await File.ReadAllTextAsync(_files.Key, ct));
            return _pair is { } known && known.Text == text && known.Key == key ? known with { ReadAt = now } : new(text, key, Pem.Pair(text, key, _files.Certificate), now);
        }
        catch (Exception e) when (e is KubeConfigException or IOException or UnauthorizedAccessException && (_pair?.Certificate ?? configuration.ClientCertificate) is { } known)
        {
            return new("", "", known, now);   // replaced half-way; what we have may still be good
        }
    }
}
