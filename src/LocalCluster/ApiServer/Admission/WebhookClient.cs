using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Admission;

/// <summary>Calls webhooks: by URL, or by service through the addresses of its endpoints. Connections are kept by CA bundle.</summary>
internal sealed class WebhookClient(ServiceAddresses services, TimeProvider clock) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, HttpClient> _clients = new(StringComparer.Ordinal);

    /// <summary>The response member of the review that comes back.</summary>
    /// <exception cref="WebhookException">It could not be called, or did not answer as a webhook does.</exception>
    public async Task<JsonObject> CallAsync(Webhook webhook, JsonObject review, CancellationToken ct)
    {
        var config = webhook.Source.Obj("clientConfig") ?? [];
        var (url, shown, serverName) = Target(config);
        var seconds = (int)webhook.Timeout.TotalSeconds;
        var query = $"?timeout={seconds}s";
        using var deadline = new CancellationTokenSource(webhook.Timeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, ct);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, url + query) { Content = new ByteArrayContent(JsonText.ToUtf8(review)) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            if (serverName is not null) request.Headers.Host = serverName;   // also the name that TLS asks for and checks
            using var answer = await Client(config.Str("caBundle") ?? "").SendAsync(request, both.Token);
            var body = await answer.Content.ReadAsByteArrayAsync(both.Token);
            if (!answer.IsSuccessStatusCode) throw new WebhookException($"failed to call webhook: the server rejected our request for an unknown reason ({(int)answer.StatusCode})");
            return Response(body, review);
        }
        catch (HttpRequestException e)
        {
            throw new WebhookException($"failed to call webhook: Post \"{shown}{query}\": {Reason(e, url)}", e);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new WebhookException($"failed to call webhook: Post \"{shown}{query}\": context deadline exceeded", e);
        }
    }

    public void Dispose()
    {
        foreach (var client in _clients.Values) client.Dispose();
    }

    private static JsonObject Response(byte[] body, JsonObject review)
    {
        try
        {
            var answer = JsonText.Parse(body);
            if (answer.Obj("response") is not { } response) throw new WebhookException("webhook response was absent");
            if (response.Str("uid") != review.Str("request", "uid")) throw new WebhookException($"expected response.uid=\"{review.Str("request", "uid")}\", got \"{response.Str("uid")}\"");
            return response;
        }
        catch (JsonException e)
        {
            throw new WebhookException($"failed to call webhook: couldn't get version/kind; json parse error: {e.Message}", e);
        }
    }

    private (string Url, string Shown, string? ServerName) Target(JsonObject config)
    {
        if (config.Str("url") is { Length: > 0 } url) return (url, url, null);
        var service = config.Obj("service") ?? [];
        var (ns, name, path, port) = (service.Str("namespace") ?? "", service.Str("name") ?? "", service.Str("path") ?? "/", service["port"].Long() ?? 443);
        var host = $"{name}.{ns}.svc";
        if (!path.StartsWith('/')) path = "/" + path;
        var shown = $"https://{host}:{port}{path}";
        var address = services.Resolve(ns, name, port) ?? throw new WebhookException($"failed to call webhook: Post \"{shown}?timeout=10s\": no endpoints available for service \"{name}\"");
        return ($"https://{address}{path}", shown, host);
    }

    // The words of Go's network stack, which the messages of the real server end with.
    private static string Reason(HttpRequestException error, string url) => error.InnerException is SocketException socket
        ? $"dial tcp {new Uri(url).Authority}: connect: {(socket.SocketErrorCode == SocketError.ConnectionRefused ? "connection refused" : socket.Message.ToLowerInvariant())}"
        : error.HttpRequestError == HttpRequestError.SecureConnectionError ? "tls: failed to verify certificate: x509: certificate signed by unknown authority" : error.Message;

    private HttpClient Client(string caBundle)
    {
        lock (_gate)
        {
            if (_clients.TryGetValue(caBundle, out var known)) return known;
            return _clients[caBundle] = Create(caBundle);
        }
    }

    private static HttpClient Create(string caBundle)
    {
        var roots = new X509Certificate2Collection();
        if (caBundle.Length > 0) roots.ImportFromPem(Encoding.ASCII.GetString(Convert.FromBase64String(caBundle)));
        var handler = new SocketsHttpHandler { UseProxy = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5), AutomaticDecompression = DecompressionMethods.None };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
            (errors & SslPolicyErrors.RemoteCertificateNameMismatch) == 0 && certificate is not null && (errors == SslPolicyErrors.None || IsSignedBy(roots, new X509Certificate2(certificate)));
        return new HttpClient(handler) { Timeout = System.Threading.Timeout.InfiniteTimeSpan };   // each call has its own deadline
    }

    private static bool IsSignedBy(X509Certificate2Collection roots, X509Certificate2 certificate)
    {
        if (roots.Count == 0) return false;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(roots);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return chain.Build(certificate);
    }
}

/// <summary>A webhook could not be called, or its answer is no answer.</summary>
internal sealed class WebhookException(string message, Exception? inner = null) : Exception(message, inner);
