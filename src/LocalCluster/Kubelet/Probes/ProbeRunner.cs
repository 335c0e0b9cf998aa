using System.Globalization;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Probes;

/// <summary>Asks a container how it is: over HTTP, by a TCP connection, or by running a command in it.</summary>
internal sealed class ProbeRunner(HttpClient http, Func<IReadOnlyList<string>, TimeSpan, CancellationToken, Task<(int Code, string Output)>> execute, TimeProvider clock)
{
    /// <summary>Null for success, otherwise what went wrong.</summary>
    public Task<string?> AskAsync(ProbeSpec probe, JsonObject container, string podIp, CancellationToken ct) => AskAsync(probe.Handler, probe.Timeout, container, podIp, ct);

    /// <summary>Null for success, otherwise what went wrong.</summary>
    public async Task<string?> AskAsync(JsonObject handler, TimeSpan timeout, JsonObject container, string podIp, CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(timeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        try
        {
            if (handler["httpGet"] is JsonObject get) return await GetAsync(get, container, podIp, both.Token);
            if (handler["tcpSocket"] is JsonObject tcp) return await ConnectAsync(tcp, container, podIp, both.Token);
            if (handler["exec"] is JsonObject exec) return await ExecAsync(exec, timeout, both.Token);
            return "this kind of probe is not supported by the local cluster";
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return LateAnswer(handler, container, podIp, timeout);
        }
    }

    private async Task<string?> GetAsync(JsonObject get, JsonObject container, string podIp, CancellationToken ct)
    {
        var url = Url(get, container, podIp);
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.TryAddWithoutValidation("User-Agent", "kube-probe/1.36");
        foreach (var header in get.Objects("httpHeaders")) request.Headers.TryAddWithoutValidation(header.Text("name") ?? "", header.Text("value"));
        try
        {
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
            var code = (int)response.StatusCode;
            return code is >= 200 and < 400 ? null : $"HTTP probe failed with statuscode: {code}";
        }
        catch (HttpRequestException e)
        {
            return $"Get \"{url}\": {(e.InnerException is SocketException refused ? Dial(url.Host, url.Port, refused) : e.Message)}";
        }
    }

    private static async Task<string?> ConnectAsync(JsonObject tcp, JsonObject container, string podIp, CancellationToken ct)
    {
        var (host, port) = (tcp.Text("host") ?? podIp, Port(tcp, container));
        using var socket = new TcpClient();
        try
        {
            await socket.ConnectAsync(host, port, ct);
            return null;
        }
        catch (SocketException e)
        {
            return Dial(host, port, e);
        }
    }

    private async Task<string?> ExecAsync(JsonObject exec, TimeSpan timeout, CancellationToken ct)
    {
        var (code, output) = await execute([.. exec.Strings("command")], timeout, ct);
        return code == 0 ? null : output.Length > 0 ? output : $"command exited with code {code}";
    }

    // As Go's network stack words it: what people find when they search for it.
    private static string Dial(string host, int port, SocketException e) => $"dial tcp {host}:{port}: connect: {e.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => "connection refused",
        SocketError.HostUnreachable => "no route to host",
        SocketError.NetworkUnreachable => "network is unreachable",
        _ => e.Message,
    }}";

    private static string LateAnswer(JsonObject handler, JsonObject container, string podIp, TimeSpan timeout)
    {
        if (handler["httpGet"] is JsonObject get) return $"Get \"{Url(get, container, podIp)}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
        if (handler["tcpSocket"] is JsonObject tcp) return $"dial tcp {tcp.Text("host") ?? podIp}:{Port(tcp, container)}: i/o timeout";
        return $"command timed out: \"{string.Join(' ', handler.Strings("exec", "command"))}\" timed out after {timeout.TotalSeconds.ToString(CultureInfo.InvariantCulture)}s";
    }

    private static Uri Url(JsonObject get, JsonObject container, string podIp)
    {
        var path = get.Text("path") ?? "/";
        return new Uri($"{(get.Text("scheme") ?? "HTTP").ToLowerInvariant()}://{get.Text("host") ?? podIp}:{Port(get, container)}{(path.StartsWith('/') ? path : "/" + path)}");
    }

    private static int Port(JsonObject handler, JsonObject container)
    {
        var text = handler.Text("port") ?? "0";
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return number;
        return (int)(container.Objects("ports").FirstOrDefault(p => p.Text("name") == text).Number("containerPort") ?? 0);
    }
}
