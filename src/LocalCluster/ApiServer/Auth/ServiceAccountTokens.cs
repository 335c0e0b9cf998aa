using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Auth;

/// <summary>
/// Service account tokens: JSON web tokens signed by this server, bound to the account (and pod or secret) they were made for, good until they
/// expire or what they are bound to is gone.
/// </summary>
/// <param name="directory">Keeps the signing key, so that tokens outlive the server; null for a key of this run only.</param>
public sealed class ServiceAccountTokens(ObjectStore store, TimeProvider clock, string? directory = null) : ITokenAuthenticator, IDisposable
{
    public const string Issuer = "https://kubernetes.default.svc.cluster.local";
    private readonly ECDsa _key = Key(directory);

    /// <summary>A token for an account.</summary>
    /// <param name="bound">The pod or secret whose life limits the token's, or null.</param>
    /// <param name="lifetime">Null for one that does not expire (secrets of the old kind).</param>
    public string Issue(string @namespace, string account, string uid, IReadOnlyList<string> audiences, TimeSpan? lifetime, JsonObject? bound)
    {
        var now = clock.GetUtcNow().ToUnixTimeSeconds();
        var kubernetes = new JsonObject { ["namespace"] = @namespace, ["serviceaccount"] = new JsonObject { ["name"] = account, ["uid"] = uid } };
        if (bound is not null) kubernetes[(bound.Str("kind") ?? "Pod").ToLowerInvariant()] = new JsonObject { ["name"] = bound.Str("name"), ["uid"] = bound.Str("uid") };
        var claims = new JsonObject
        {
            ["aud"] = new JsonArray([.. audiences.DefaultIfEmpty(Issuer).Select(a => JsonValue.Create(a))]),
            ["iat"] = now,
            ["nbf"] = now,
            ["iss"] = Issuer,
            ["sub"] = $"system:serviceaccount:{@namespace}:{account}",
            ["kubernetes.io"] = kubernetes,
        };
        if (lifetime is { } span) claims["exp"] = now + (long)span.TotalSeconds;
        var signed = $"{Part(new JsonObject { ["alg"] = "ES256", ["kid"] = "opt-local" })}.{Part(claims)}";
        return $"{signed}.{Base64Url.EncodeToString(_key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256))}";
    }

    public UserInfo? Authenticate(string token)
    {
        if (Claims(token) is not { } claims || claims.Long("exp") is { } expires && expires <= clock.GetUtcNow().ToUnixTimeSeconds()) return null;
        var (ns, account, uid) = (claims.Str("kubernetes.io", "namespace"), claims.Str("kubernetes.io", "serviceaccount", "name"), claims.Str("kubernetes.io", "serviceaccount", "uid"));
        if (ns is null || account is null || store.Get("/serviceaccounts", ns, account)?.Uid != uid || !BoundLives(claims, ns)) return null;
        return new UserInfo($"system:serviceaccount:{ns}:{account}", ["system:serviceaccounts", $"system:serviceaccounts:{ns}"]) { Uid = uid ?? "" };
    }

    public void Dispose() => _key.Dispose();

    private bool BoundLives(JsonObject claims, string @namespace)
    {
        foreach (var (member, resource) in ((string, string)[])[("pod", "/pods"), ("secret", "/secrets")])
        {
            if (claims.Obj("kubernetes.io", member) is { } bound && store.Get(resource, @namespace, bound.Str("name") ?? "")?.Uid != bound.Str("uid")) return false;
        }

        return true;
    }

    private JsonObject? Claims(string token)
    {
        var parts = token.Split('.');
        if (parts.Length != 3) return null;
        try
        {
            var signature = Base64Url.DecodeFromChars(parts[2]);
            if (!_key.VerifyData(Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"), signature, HashAlgorithmName.SHA256)) return null;
            return JsonText.Parse(Base64Url.DecodeFromChars(parts[1])) as JsonObject;
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            return null;   // not one of ours
        }
    }

    private static ECDsa Key(string? directory)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (directory is null) return key;
        var file = Path.Combine(directory, "service-accounts.key");
        if (File.Exists(file)) key.ImportFromPem(File.ReadAllText(file));
        else PrivateFile.Write(file, key.ExportPkcs8PrivateKeyPem());
        return key;
    }

    private static string Part(JsonObject json) => Base64Url.EncodeToString(JsonText.ToUtf8(json));
}
