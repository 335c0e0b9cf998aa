using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Opt.LocalCluster.ApiServer.Auth;

/// <summary>Finds out who makes a request: from its client certificate, or its bearer token, or nobody.</summary>
public sealed class Authenticator(CertificateAuthority authority, IEnumerable<ITokenAuthenticator> tokens)
{
    private readonly ITokenAuthenticator[] _tokens = [.. tokens];

    /// <exception cref="ApiException">401: a certificate or token was given and is not good.</exception>
    public UserInfo Authenticate(X509Certificate2? certificate, string? authorization)
    {
        if (certificate is not null && authority.Trusts(certificate)) return FromCertificate(certificate);
        if (authorization?.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) != true) return certificate is null ? UserInfo.Anonymous : throw ApiErrors.Unauthorized();
        var token = authorization["Bearer ".Length..].Trim();
        foreach (var source in _tokens)
        {
            if (source.Authenticate(token) is { } user) return user with { Groups = [.. user.Groups, "system:authenticated"] };
        }

        throw ApiErrors.Unauthorized();
    }

    private static UserInfo FromCertificate(X509Certificate2 certificate)
    {
        var names = certificate.SubjectName.EnumerateRelativeDistinguishedNames(reversed: false).ToArray();
        string[] Values(string oid) => [.. names.Where(n => n.GetSingleElementType().Value == oid).Select(n => n.GetSingleElementValue() ?? "")];
        var hash = Convert.ToHexStringLower(SHA256.HashData(certificate.RawData));
        return new UserInfo(Values("2.5.4.3").FirstOrDefault() ?? "", [.. Values("2.5.4.10"), "system:authenticated"])
        {
            Extra = new Dictionary<string, IReadOnlyList<string>> { ["authentication.kubernetes.io/credential-id"] = [$"X509SHA256={hash}"] },
        };
    }
}

/// <summary>Knows some bearer tokens.</summary>
public interface ITokenAuthenticator
{
    /// <summary>The user whom the token names, or null when it is not known here.</summary>
    UserInfo? Authenticate(string token);
}

/// <summary>Tokens fixed at start.</summary>
public sealed class StaticTokens(IReadOnlyDictionary<string, UserInfo> users) : ITokenAuthenticator
{
    public UserInfo? Authenticate(string token) => users.GetValueOrDefault(token);
}
