using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Opt.Testing;

/// <summary>What to send malformed requests to.</summary>
/// <param name="Requests">Good ones to start from: method, path and body ("" for none).</param>
/// <param name="Headers">Lines that let a request through to the parser, such as a right Authorization.</param>
/// <param name="Secure">Over TLS, whatever the certificate.</param>
public sealed record FuzzTarget(IPEndPoint Server, IReadOnlyList<(string Method, string Path, string Body)> Requests, IReadOnlyList<string> Headers, bool Secure = false);

/// <summary>Seeded malformed, huge and broken-off requests, one connection each.</summary>
public static class RequestFuzz
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromMinutes(2);
    /// <summary>"HTTP Version Not Supported": noise in a path may hold a space, and what follows it is the version then. That is the sender's fault.</summary>
    private const int UnknownVersion = 505;

    private static readonly int Seed = int.Parse(Environment.GetEnvironmentVariable("OPT_TEST_SEED") ?? "1", CultureInfo.InvariantCulture);

    /// <summary>
    /// Sends <paramref name="quick"/> requests, or twenty thousand with <c>OPT_SOAK</c>, of the seed in <c>OPT_TEST_SEED</c>; throws when one is answered
    /// with a fault of the server.
    /// </summary>
    /// <returns>How often each status code was answered; 0 stands for a connection that was closed without an answer.</returns>
    public static async Task<IReadOnlyDictionary<int, int>> RunAsync(FuzzTarget target, int quick, CancellationToken ct)
    {
        var answers = await RunAsync(target, Seed, Environment.GetEnvironmentVariable("OPT_SOAK") is null ? quick : 20_000, ct);
        return answers.Keys.All(code => code is < 500 or UnknownVersion) ? answers : throw new InvalidOperationException($"seed {Seed}: {string.Join(", ", answers)}");
    }

    private static async Task<IReadOnlyDictionary<int, int>> RunAsync(FuzzTarget target, int seed, int count, CancellationToken ct)
    {
        var answers = new Dictionary<int, int>();
        for (var i = 0; i < count; i++)
        {
            var random = new Random(seed * 100_003 + i);
            var code = await SendAsync(target, Message(target, random), ct);
            answers[code] = answers.GetValueOrDefault(code) + 1;
        }

        return answers;
    }

    private static async Task<int> SendAsync(FuzzTarget target, byte[] message, CancellationToken ct)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(AnswerWithin);
        await socket.ConnectAsync(target.Server, patience.Token);
        await using Stream plain = new NetworkStream(socket);
        await using var secured = target.Secure ? new SslStream(plain, leaveInnerStreamOpen: true, (_, certificate, _, _) => certificate is not null) : null;
        if (secured is not null) await secured.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost" }, patience.Token);
        try
        {
            return await ExchangeAsync((Stream?)secured ?? plain, socket, target.Secure, message, patience.Token);
        }
        catch (IOException)
        {
            return 0;   // the server hung up on us, which is its right
        }
    }

    private static async Task<int> ExchangeAsync(Stream stream, Socket socket, bool secure, byte[] message, CancellationToken ct)
    {
        await stream.WriteAsync(message, ct);
        await stream.FlushAsync(ct);
        if (!secure) socket.Shutdown(SocketShutdown.Send);   // what is missing never comes
        else if (stream is SslStream tls) await tls.ShutdownAsync();
        var head = new byte[64];
        var read = await stream.ReadAtLeastAsync(head, 12, throwOnEndOfStream: false, ct);
        var line = Encoding.ASCII.GetString(head, 0, read);
        return line.StartsWith("HTTP/1.", StringComparison.Ordinal) && int.TryParse(line.AsSpan(9, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var code) ? code : 0;
    }

    private static byte[] Message(FuzzTarget target, Random random)
    {
        var (method, path, body) = target.Requests[random.Next(target.Requests.Count)];
        var bytes = Encoding.UTF8.GetBytes(body);
        return random.Next(8) switch
        {
            0 => Noise(random, random.Next(1, 4096)),
            1 => Request(method, path, [.. target.Headers, "X-Long: " + new string('a', random.Next(1000, 60_000))], bytes),
            2 => Request(method, path + "?" + Encoding.Latin1.GetString(Noise(random, 40)), target.Headers, bytes),
            3 => Request(method, path, target.Headers, bytes, bytes.Length + random.Next(1, 10_000)),
            4 => Request(method, path, [.. target.Headers, "Transfer-Encoding: chunked"], Noise(random, random.Next(1, 500)), length: null),
            5 => Request(method, path, target.Headers, Nested(random.Next(10, 20_000))),
            6 => Request(method, path, target.Headers, Changed(bytes, random)),
            _ => Request(method, path, target.Headers, Cut(bytes, random)),
        };
    }

    private static byte[] Request(string method, string path, IReadOnlyList<string> headers, byte[] body) => Request(method, path, headers, body, body.Length);

    private static byte[] Request(string method, string path, IReadOnlyList<string> headers, byte[] body, int? length)
    {
        var lines = new List<string>([$"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", "Content-Type: application/json", .. headers]);
        if (length is not null) lines.Add(string.Create(CultureInfo.InvariantCulture, $"Content-Length: {length}"));
        return [.. Encoding.Latin1.GetBytes(string.Join("\r\n", lines) + "\r\n\r\n"), .. body];
    }

    private static byte[] Noise(Random random, int length)
    {
        var noise = new byte[length];
        random.NextBytes(noise);
        return noise;
    }

    /// <summary>JSON that a careless parser follows until its stack ends.</summary>
    private static byte[] Nested(int depth) => Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("{\"a\":[", depth)));

    private static byte[] Cut(byte[] body, Random random) => body[..random.Next(body.Length + 1)];

    private static byte[] Changed(byte[] body, Random random)
    {
        var changed = body.ToArray();
        for (var i = 0; i < random.Next(1, 6) && changed.Length > 0; i++) changed[random.Next(changed.Length)] = (byte)random.Next(256);
        return changed;
    }
}
