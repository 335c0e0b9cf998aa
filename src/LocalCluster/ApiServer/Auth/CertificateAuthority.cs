using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Opt.LocalCluster.ApiServer.Auth;

/// <summary>A self-made certificate authority: signs the server's certificate and those of its clients.</summary>
public sealed class CertificateAuthority : IDisposable
{
    private static readonly TimeSpan Validity = TimeSpan.FromDays(365);
    private readonly X509Certificate2 _root;
    private readonly TimeProvider _clock;

    private CertificateAuthority(X509Certificate2 root, TimeProvider clock)
    {
        _root = root;
        _clock = clock;
    }

    /// <summary>The root certificate, as PEM.</summary>
    public string Pem => _root.ExportCertificatePem();

    public static CertificateAuthority Create(TimeProvider clock)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=opt-local-ca", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var now = clock.GetUtcNow();
        return new CertificateAuthority(request.CreateSelfSigned(now.AddHours(-1), now.Add(Validity)), clock);
    }

    /// <summary>The authority kept in a directory, made there at the first call; without a directory, a new one.</summary>
    public static CertificateAuthority LoadOrCreate(string? directory, TimeProvider clock)
    {
        if (directory is null) return Create(clock);
        var (certificate, key) = (Path.Combine(directory, "ca.crt"), Path.Combine(directory, "ca.key"));
        if (File.Exists(certificate) && File.Exists(key)) return new(X509Certificate2.CreateFromPemFile(certificate, key), clock);
        var made = Create(clock);
        PrivateFile.Write(certificate, made.Pem);
        using var secret = made._root.GetECDsaPrivateKey()!;
        PrivateFile.Write(key, secret.ExportPkcs8PrivateKeyPem());
        return made;
    }

    /// <summary>A server certificate for loopback, the names a cluster gives its API server, and <paramref name="addresses"/>.</summary>
    public X509Certificate2 IssueServer(IEnumerable<IPAddress> addresses)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var name in (ReadOnlySpan<string>)["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]) names.AddDnsName(name);
        foreach (var address in addresses.Append(IPAddress.Loopback).Append(IPAddress.IPv6Loopback).Distinct()) names.AddIpAddress(address);
        using var signed = Issue("CN=kube-apiserver", key, names.Build(), "1.3.6.1.5.5.7.3.1");
        // Kestrel's TLS stack wants a certificate that owns its key; a round trip through PKCS#12 gives it one.
        using var withKey = signed.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null);
    }

    /// <summary>A client certificate: user and groups, certificate and key as PEM.</summary>
    public (string Certificate, string Key) IssueClient(string user, params IReadOnlyList<string> groups)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var subject = new X500DistinguishedNameBuilder();
        foreach (var group in groups) subject.AddOrganizationName(group);
        subject.AddCommonName(user);
        using var signed = Issue(subject.Build().Name, key, null, "1.3.6.1.5.5.7.3.2");
        return (signed.ExportCertificatePem(), key.ExportECPrivateKeyPem());
    }

    /// <summary>True for a certificate that this authority signed and that is valid now.</summary>
    public bool Trusts(X509Certificate2 certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(_root);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.VerificationTime = _clock.GetUtcNow().UtcDateTime;
        return chain.Build(certificate);
    }

    public void Dispose() => _root.Dispose();

    private X509Certificate2 Issue(string subject, ECDsa key, X509Extension? names, string usage)
    {
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_root, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        if (names is not null) request.CertificateExtensions.Add(names);
        var now = _clock.GetUtcNow();
        return request.Create(_root, now.AddHours(-1), _root.NotAfter, RandomNumberGenerator.GetBytes(16));
    }
}
