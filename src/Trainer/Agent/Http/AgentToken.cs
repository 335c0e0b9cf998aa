using System.Security.Cryptography;
using System.Text;

namespace Opt.Trainer.Agent.Http;

/// <summary>The bearer token of the job, from a file that a Secret may replace. Compared in constant time.</summary>
internal sealed class AgentToken
{
    private const string Scheme = "Bearer ";
    private readonly string _file;
    private byte[] _digest;

    /// <exception cref="FormatException">The file is missing or empty.</exception>
    public AgentToken(string file)
    {
        _file = file;
        _digest = Read() ?? throw new FormatException($"OPT_AGENT_TOKEN_FILE names \"{file}\", which is missing or empty");
    }

    public bool Accepts(string? authorization)
    {
        if (authorization is null || !authorization.StartsWith(Scheme, StringComparison.Ordinal)) return false;
        var given = Digest(authorization[Scheme.Length..]);
        if (Same(given, Volatile.Read(ref _digest))) return true;
        if (Read() is not { } fresh || Same(fresh, Volatile.Read(ref _digest))) return false;
        Volatile.Write(ref _digest, fresh);   // the Secret was replaced
        return Same(given, fresh);
    }

    private static bool Same(byte[] a, byte[] b) => CryptographicOperations.FixedTimeEquals(a, b);

    private static byte[] Digest(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token.Trim()));

    private byte[]? Read()
    {
        try
        {
            var token = File.ReadAllText(_file).Trim();
            return token.Length == 0 ? null : Digest(token);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
