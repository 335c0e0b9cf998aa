using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Opt.Kubernetes;

/// <summary>Certificates from PEM text.</summary>
internal static class Pem
{
    /// <exception cref="KubeConfigException">There is no certificate in the text of <paramref name="source"/>.</exception>
    public static IReadOnlyList<X509Certificate2> Certificates(string text, string source)
    {
        var found = new X509Certificate2Collection();
        try
        {
            found.ImportFromPem(text);
        }
        catch (CryptographicException e)
        {
            throw new KubeConfigException($"{source} holds a damaged certificate: {e.Message}", e);
        }

        return found.Count > 0 ? [.. found] : throw new KubeConfigException($"{source} holds no PEM certificate.");
    }

    /// <exception cref="KubeConfigException">The two texts are not a certificate and its key.</exception>
    public static X509Certificate2 Pair(string certificate, string key, string source)
    {
        try
        {
            return X509Certificate2.CreateFromPem(certificate, key);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new KubeConfigException($"{source}: the client certificate and its key do not fit together: {e.Message}", e);
        }
    }
}
