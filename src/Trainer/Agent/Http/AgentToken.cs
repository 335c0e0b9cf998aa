using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Opt.Trainer.Agent.Http;

/// <summary>
/// What the operator and the agents of a job know each other by, from files that a Secret may replace: the bearer token, compared in constant time,
/// and the certificate. Both are read again every few seconds, and when a request brings another token: a replaced one is good for nothing then.
/// </summary>
internal sealed class AgentToken
{
    private const string Scheme = "Bearer ";
    private static readonly TimeSpan Age = TimeSpan.FromSeconds(10);
    private readonly CredentialFiles _files;
    private readonly bool _tls;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private byte[] _digest;
    private X509Certificate2? _certificate;
    private long _readAt;

    /// <param name="tls">Read the certificate, too.</param>
    /// <exception cref="FormatException">A file is missing or empty.</exception>
    public AgentToken(string file, bool tls, TimeProvider time)
    {
        (_files, _tls, _time, _readAt) = (new(file), tls, time, time.GetTimestamp());
        _digest = Read() ?? throw new FormatException($"OPT_AGENT_TOKEN_FILE names \"{file}\", which is missing or empty");
        if (tls) _certificate = _files.CertificateWithKey() ?? throw new FormatException($"OPT_AGENT_TLS is set, but {CredentialFiles.CertificateFile} and {CredentialFiles.KeyFile} beside \"{file}\" are no certificate and key");
    }

    /// <summary>The certificate to show; null without TLS.</summary>
    public X509Certificate2? Certificate
    {
        get
        {
            Refresh(Age);
            lock (_gate) return _certificate;
        }
    }

    public bool Accepts(string? authorization)
    {
        if (authorization is null || !authorization.StartsWith(Scheme, StringComparison.Ordinal)) return false;
        var given = Digest(authorization[Scheme.Length..]);
        Refresh(Age);
        if (Same(given, Known)) return true;
        Refresh(TimeSpan.Zero);   // the Secret was replaced just now
        return Same(given, Known);
    }

    private byte[] Known
    {
        get { lock (_gate) return _digest; }
    }

    private void Refresh(TimeSpan age)
    {
        lock (_gate)
        {
            if (_time.GetElapsedTime(_readAt) < age) return;
            _readAt = _time.GetTimestamp();
            _digest = Read() ?? _digest;
            if (_tls) _certificate = _files.CertificateWithKey() ?? _certificate;   // the old one is left to the collector: handshakes may still use it
        }
    }

    private static bool Same(byte[] a, byte[] b) => CryptographicOperations.FixedTimeEquals(a, b);

    private static byte[] Digest(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token.Trim()));

    private byte[]? Read()
    {
        try
        {
            return Digest(_files.Token());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
