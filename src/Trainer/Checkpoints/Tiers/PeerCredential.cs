using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Opt.Trainer.Agent.Http;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Gives every request to a peer the job's token as it is now, and takes no certificate but the job's: the files may be replaced while a worker runs.
/// While a replacement spreads from node to node peers refuse each other, for a minute at most; a copy that is not kept is no failure.
/// </summary>
internal sealed class PeerCredential : DelegatingHandler
{
    private readonly CredentialFiles _files;

    public PeerCredential(string tokenFile, bool tls)
    {
        _files = new(tokenFile);
        var handler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(3) };
        if (tls) handler.SslOptions = new() { RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null && IsOurs(shown), CertificateRevocationCheckMode = X509RevocationMode.NoCheck };
        InnerHandler = handler;
    }

    /// <exception cref="HttpRequestException">The token cannot be read, or the request failed.</exception>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _files.Token());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HttpRequestException($"the job's token cannot be read: {e.Message}", e);
        }

        return base.SendAsync(request, cancellationToken);
    }

    private bool IsOurs(X509Certificate shown)
    {
        using var ours = _files.Certificate();
        return ours is not null && CryptographicOperations.FixedTimeEquals(shown.GetCertHash(HashAlgorithmName.SHA256), ours.GetCertHash(HashAlgorithmName.SHA256));
    }
}
