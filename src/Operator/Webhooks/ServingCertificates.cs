using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Opt.Operator.Webhooks;

/// <summary>
/// What the webhooks' Secret holds: a serving certificate with its key, the authorities to trust (newest first) and the newest one's key.
/// Keys and certificates are PEM.
/// </summary>
internal sealed record ServingCertificates(string Certificate, string Key, string Authorities, string AuthorityKey)
{
    private const string CertificateEntry = "tls.crt", KeyEntry = "tls.key", AuthoritiesEntry = "ca.crt", AuthorityKeyEntry = "ca.key";

    /// <summary>The state that should follow <paramref name="now"/>'s: the same object when nothing is due.</summary>
    /// <param name="current">Null when there is none, or it cannot be read.</param>
    /// <param name="names">DNS names and IP addresses under which the API server calls.</param>
    public static ServingCertificates Next(ServingCertificates? current, IReadOnlyList<string> names, CertificateOptions options, DateTimeOffset now)
    {
        if (current is null || !current.IsUsable(now)) return Create(names, options, now);
        using var newest = X509Certificate2.CreateFromPem(current.Authorities);
        using var leaf = current.Load();
        var isNewest = leaf.Issuer == newest.Subject;
        if (!isNewest && now >= Made(newest, options) + options.Overlap) return current.Renewed(names, options, now);
        if (isNewest && newest.NotAfter - now < options.Lifetime + 2 * options.Overlap) return current.WithNewAuthority(options, now);
        var due = now >= Made(leaf, options) + 2 * options.Lifetime / 3 || !Names(leaf).SetEquals(names);
        return due && isNewest ? current.Renewed(names, options, now) : current;
    }

    /// <summary>The certificate with its key, for TLS. The caller disposes it.</summary>
    public X509Certificate2 Load() => X509Certificate2.CreateFromPem(Certificate, Key);

    /// <summary>Null when an entry is missing, or no PEM.</summary>
    public static ServingCertificates? Read(IReadOnlyDictionary<string, byte[]>? data)
    {
        if (data is null || new[] { CertificateEntry, KeyEntry, AuthoritiesEntry, AuthorityKeyEntry }.Any(e => !data.ContainsKey(e))) return null;
        var read = new ServingCertificates(Text(CertificateEntry), Text(KeyEntry), Text(AuthoritiesEntry), Text(AuthorityKeyEntry));
        try
        {
            using var leaf = read.Load();
            using var authority = X509Certificate2.CreateFromPem(read.Authorities, read.AuthorityKey);
            return read;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            return null;   // damaged: made anew
        }

        string Text(string entry) => Encoding.UTF8.GetString(data[entry]);
    }

    public IReadOnlyDictionary<string, byte[]> ToData() => new Dictionary<string, byte[]>
    {
        [CertificateEntry] = Encoding.UTF8.GetBytes(Certificate),
        [KeyEntry] = Encoding.UTF8.GetBytes(Key),
        [AuthoritiesEntry] = Encoding.UTF8.GetBytes(Authorities),
        [AuthorityKeyEntry] = Encoding.UTF8.GetBytes(AuthorityKey),
    };

    // A record prints its members; this one holds keys.
    public override string ToString() => "serving certificates";

    private static ServingCertificates Create(IReadOnlyList<string> names, CertificateOptions options, DateTimeOffset now)
    {
        var (authority, key) = NewAuthority(options, now);
        return new ServingCertificates("", "", authority, key).Renewed(names, options, now);
    }

    private bool IsUsable(DateTimeOffset now)
    {
        using var leaf = Load();
        var trusted = new X509Certificate2Collection();
        trusted.ImportFromPem(Authorities);
        return leaf.NotAfter > now && trusted.Any(a => a.Subject == leaf.Issuer && a.NotAfter > now);
    }

    private ServingCertificates Renewed(IReadOnlyList<string> names, CertificateOptions options, DateTimeOffset now)
    {
        using var authority = X509Certificate2.CreateFromPem(Authorities, AuthorityKey);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={names[0]}", key, HashAlgorithmName.SHA256);
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (var name in names)
        {
            if (IPAddress.TryParse(name, out var address)) alternatives.AddIpAddress(address);
            else alternatives.AddDnsName(name);
        }

        request.CertificateExtensions.Add(alternatives.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));   // serverAuth
        var until = Earlier(now + options.Lifetime, authority.NotAfter);
        using var certificate = request.Create(authority, now - options.ClockSkew, until, RandomNumberGenerator.GetBytes(16));
        return this with { Certificate = certificate.ExportCertificatePem() + "\n", Key = key.ExportPkcs8PrivateKeyPem() + "\n" };
    }

    /// <summary>Trusts a further authority; the served certificate stays the old one's until everybody does.</summary>
    private ServingCertificates WithNewAuthority(CertificateOptions options, DateTimeOffset now)
    {
        var (authority, key) = NewAuthority(options, now);
        using var leaf = Load();
        var known = new X509Certificate2Collection();
        known.ImportFromPem(Authorities);
        var kept = known.Where(a => a.NotAfter > now && a.Subject == leaf.Issuer).Select(a => a.ExportCertificatePem() + "\n");
        return this with { Authorities = authority + string.Concat(kept), AuthorityKey = key };
    }

    private static (string Certificate, string Key) NewAuthority(CertificateOptions options, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        // The name differs from one authority to the next, so that issuer names tell them apart.
        var request = new CertificateRequest($"CN=opt-operator webhooks {Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        using var certificate = request.CreateSelfSigned(now - options.ClockSkew, now + options.AuthorityLifetime);
        return (certificate.ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    private static DateTimeOffset Made(X509Certificate2 certificate, CertificateOptions options) => certificate.NotBefore + options.ClockSkew;

    private static DateTimeOffset Earlier(DateTimeOffset a, DateTimeOffset b) => a < b ? a : b;

    private static HashSet<string> Names(X509Certificate2 certificate) => certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>()
        .SelectMany(e => e.EnumerateDnsNames().Concat(e.EnumerateIPAddresses().Select(a => a.ToString()))).ToHashSet(StringComparer.OrdinalIgnoreCase);
}
