using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Opt.Trainer.Agent.Http;

/// <summary>The job's Secret as its pods have it: a bearer token, and beside it a certificate with its key. A kubelet may replace the files at any moment.</summary>
internal sealed class CredentialFiles(string tokenFile)
{
    public const string CertificateFile = "tls.crt", KeyFile = "tls.key";

    private readonly string _folder = Path.GetDirectoryName(Path.GetFullPath(tokenFile))!;

    /// <exception cref="IOException">There is none, or it is empty.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public string Token() => File.ReadAllText(tokenFile).Trim() is { Length: > 0 } token ? token : throw new IOException($"{tokenFile} is empty");

    /// <summary>The certificate alone; null where it is missing or half replaced: the next look finds the whole.</summary>
    public X509Certificate2? Certificate() => Load(() => X509CertificateLoader.LoadCertificateFromFile(Path.Combine(_folder, CertificateFile)));

    /// <summary>The certificate with its key; null where they are missing or half replaced.</summary>
    public X509Certificate2? CertificateWithKey() => Load(() => X509Certificate2.CreateFromPemFile(Path.Combine(_folder, CertificateFile), Path.Combine(_folder, KeyFile)));

    private static X509Certificate2? Load(Func<X509Certificate2> load)
    {
        try
        {
            return load();
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
