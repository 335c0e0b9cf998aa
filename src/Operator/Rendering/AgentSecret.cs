using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Opt.Kubernetes;

namespace Opt.Operator.Rendering;

/// <summary>What the operator and the agents of one job know each other by: the content of the job's Secret.</summary>
/// <param name="Token">Bearer token.</param>
/// <param name="Pin">SHA-256 of the agents' certificate, in lower-case hexadecimal; null in a Secret that holds none.</param>
internal sealed record AgentSecret(string Token, string? Pin)
{
    /// <summary>Nobody asks for the certificate's dates, since everybody pins it: it lasts as long as the Secret.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(3650);

    /// <summary>The Secret's data, by key.</summary>
    public IReadOnlyDictionary<string, byte[]> Data { get; init; } = new Dictionary<string, byte[]>();

    /// <summary>A fresh token and a fresh certificate.</summary>
    public static AgentSecret Create(string job, DateTimeOffset now)
    {
        var token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={job[..Math.Min(job.Length, 63)]}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        using var certificate = request.CreateSelfSigned(now - TimeSpan.FromDays(1), now + Lifetime);
        return new(token, PinOf(certificate))
        {
            Data = new Dictionary<string, byte[]>
            {
                [Names.TokenKey] = Encoding.UTF8.GetBytes(token),
                [Names.CertificateKey] = Encoding.UTF8.GetBytes(certificate.ExportCertificatePem() + "\n"),
                [Names.CertificateKeyKey] = Encoding.UTF8.GetBytes(key.ExportPkcs8PrivateKeyPem() + "\n"),
            },
        };
    }

    /// <returns>Null when the Secret holds no token.</returns>
    public static AgentSecret? Read(V1Secret secret)
    {
        var token = Encoding.UTF8.GetString(secret.Data?.GetValueOrDefault(Names.TokenKey) ?? []).Trim();
        return token.Length == 0 ? null : new(token, PinOf(secret.Data!.GetValueOrDefault(Names.CertificateKey)));
    }

    public static string PinOf(X509Certificate certificate) => certificate.GetCertHashString(HashAlgorithmName.SHA256).ToLowerInvariant();

    // A record prints its members; this one holds a token.
    public override string ToString() => "agent secret";

    private static string? PinOf(byte[]? pem)
    {
        if (pem is null) return null;
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(Encoding.UTF8.GetString(pem));
            return PinOf(certificate);
        }
        catch (CryptographicException)
        {
            return null;   // as good as none: the condition says so
        }
    }
}
