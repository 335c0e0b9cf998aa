using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using YamlDotNet.RepresentationModel;

namespace Opt.LocalCluster.Tests.ApiServer.Replay;

/// <summary>A local cluster behind HTTPS and the clients that talk to it: the recorder's administrator, and nobody.</summary>
internal sealed class ReplayServer : IAsyncDisposable
{
    private readonly IReplayTarget _target;

    private ReplayServer(IReplayTarget target)
    {
        _target = target;
        Admin = Client(AdminCertificate());
        Anonymous = Client(null);
    }

    public TimeProvider Clock => _target.Clock;

    public HttpClient Admin { get; }

    public HttpClient Anonymous { get; }

    /// <summary>A cluster in this process, in virtual time.</summary>
    public static async Task<ReplayServer> StartAsync() => new(await VirtualCluster.StartAsync());

    /// <summary><c>opt-local up</c> as a user starts it, in real time.</summary>
    public static async Task<ReplayServer> StartProcessAsync(string gracePeriod, CancellationToken ct) => new(await UpProcess.StartAsync(gracePeriod, ct));

    public async Task<(int Status, string? Type, string Body)> SendAsync(HttpClient client, string method, string path, string? body = null, string? contentType = null, string accept = "application/json", string? authorization = null)
    {
        using var request = Request(method, path, body, contentType, accept, authorization);
        using var answer = await client.SendAsync(request);
        // As it was sent: the parsed header is printed with other spaces.
        var type = answer.Content.Headers.NonValidated.TryGetValues("Content-Type", out var values) ? values.ToString() : null;
        return ((int)answer.StatusCode, type, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>A request that the recording does not show but relies on; it must succeed. Afterwards the cluster is at rest.</summary>
    public async Task<JsonNode> DoAsync(string method, string path, string? body = null, string contentType = "application/json")
    {
        var (status, _, answer) = await SendAsync(Admin, method, path, body, contentType);
        if (status >= 300) throw new InvalidOperationException($"{method} {path}: {status} {answer}");
        await IdleAsync();
        return JsonNode.Parse(answer)!;
    }

    public Task<JsonNode> GetAsync(string path) => DoAsync("GET", path);

    public Task<JsonNode> MergeAsync(string path, string body) => DoAsync("PATCH", path, body, "application/merge-patch+json");

    public Task<JsonNode> StrategicAsync(string path, string body) => DoAsync("PATCH", path, body, "application/strategic-merge-patch+json");

    public Task<HttpResponseMessage> OpenAsync(string path, string accept) =>
        Admin.SendAsync(Request("GET", path, null, null, accept, null), HttpCompletionOption.ResponseHeadersRead);

    public Task IdleAsync() => _target.IdleAsync();

    /// <summary>Lets time pass until an object is gone, at most a minute of it.</summary>
    public async Task UntilGoneAsync(string path)
    {
        for (var second = 0; second < 60; second++)
        {
            await IdleAsync();
            if ((await SendAsync(Admin, "GET", path)).Status == 404) return;
            await PassAsync(1);
        }
    }

    /// <summary>Moves the clock second by second.</summary>
    public async Task PassAsync(int seconds, Func<Task>? each = null)
    {
        for (var i = 0; i < seconds; i++)
        {
            await _target.PassAsync(TimeSpan.FromSeconds(1));
            if (each is not null) await each();
        }
    }

    public async ValueTask DisposeAsync()
    {
        Admin.Dispose();
        Anonymous.Dispose();
        await _target.DisposeAsync();
    }

    private HttpRequestMessage Request(string method, string path, string? body, string? contentType, string accept, string? authorization)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), new Uri(_target.Address, path)) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        request.Headers.TryAddWithoutValidation("Accept", accept);
        request.Headers.TryAddWithoutValidation("User-Agent", "python-requests/2.32");
        if (authorization is not null) request.Headers.TryAddWithoutValidation("Authorization", authorization);
        if (body is null) return request;
        request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        if (contentType is not null) request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        return request;
    }

    private static HttpClient Client(X509Certificate2? certificate)
    {
        var handler = new SocketsHttpHandler { UseProxy = false };
        // The certificates live in virtual time; what they prove is tested elsewhere.
#pragma warning disable CA5359 // any certificate will do
        handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, _) => true;
#pragma warning restore CA5359
        if (certificate is not null) handler.SslOptions.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, null, offline: true);
        return new HttpClient(handler);
    }

    private X509Certificate2 AdminCertificate()
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(_target.AdminKubeconfig));
        var user = yaml.Documents[0].RootNode["users"][0]["user"];
        string Decode(string name) => Encoding.ASCII.GetString(Convert.FromBase64String(((YamlScalarNode)user[name]).Value!));
        using var pem = X509Certificate2.CreateFromPem(Decode("client-certificate-data"), Decode("client-key-data"));
        return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
    }
}
