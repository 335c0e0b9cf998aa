using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Opt.Operator.Webhooks;

/// <summary>tls.crt and tls.key in a folder, as a mounted Secret of cert-manager's; read again when they change.</summary>
internal sealed class CertificateFolder(string folder) : ICertificateSource
{
    private string _served = "";

    public async Task<X509Certificate2?> RefreshAsync(CancellationToken ct)
    {
        var certificate = await File.ReadAllTextAsync(Path.Combine(folder, "tls.crt"), ct);
        var key = await File.ReadAllTextAsync(Path.Combine(folder, "tls.key"), ct);
        if (certificate + key == _served) return null;
        try
        {
            var loaded = X509Certificate2.CreateFromPem(certificate, key);
            _served = certificate + key;
            return loaded;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new IOException($"{folder}: tls.crt and tls.key are no certificate and its key: {e.Message}", e);   // perhaps half renewed: looked at again
        }
    }
}
