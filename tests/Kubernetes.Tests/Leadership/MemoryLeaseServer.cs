using System.Net;
using System.Text;
using System.Text.Json;

namespace Opt.Kubernetes.Tests;

/// <summary>What happens to one request on its way.</summary>
internal sealed record Journey(TimeSpan Before, bool LostBefore, TimeSpan After, bool LostAfter)
{
    public static readonly Journey Safe = new(TimeSpan.Zero, false, TimeSpan.Zero, false);
}

/// <summary>One lease with the server's rules for versions, behind a network that delays and loses requests and answers.</summary>
internal sealed class MemoryLeaseServer
{
    private V1Lease? _lease;
    private long _version = 10;

    public V1Lease? Lease => _lease;

    /// <summary>A network path to it.</summary>
    public HttpMessageHandler Path(TimeProvider clock, Func<Journey> journey) => new Network(this, clock, journey);

    private HttpResponseMessage Answer(HttpMethod method, string body)
    {
        if (method == HttpMethod.Get) return _lease is null ? Refuse(404, "NotFound") : Ok(_lease);
        var wanted = JsonSerializer.Deserialize(body, KubernetesJson.Default.V1Lease)!;
        if (method == HttpMethod.Post && _lease is not null) return Refuse(409, "AlreadyExists");
        if (method == HttpMethod.Put && _lease is null) return Refuse(404, "NotFound");
        if (method == HttpMethod.Put && wanted.Metadata.ResourceVersion != _lease!.Metadata.ResourceVersion) return Refuse(409, "Conflict");
        _lease = wanted with { Metadata = wanted.Metadata with { ResourceVersion = $"{++_version}", Uid = "lease" } };
        return Ok(_lease);
    }

    private static HttpResponseMessage Ok(V1Lease lease) => Json(200, JsonSerializer.Serialize(lease, KubernetesJson.Default.V1Lease));

    private static HttpResponseMessage Refuse(int code, string reason) => Json(code, $$"""{"kind":"Status","status":"Failure","message":"refused","reason":"{{reason}}","code":{{code}}}""");

    private static HttpResponseMessage Json(int code, string body) => new((HttpStatusCode)code) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) };

    private sealed class Network(MemoryLeaseServer server, TimeProvider clock, Func<Journey> next) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var journey = next();
            var body = request.Content is null ? "" : await request.Content.ReadAsStringAsync(cancellationToken);
            // A request that is on its way arrives even if its sender has given up.
            var arrival = ArriveAsync(journey, request.Method, body);
            var answer = await arrival.WaitAsync(cancellationToken);
            await Task.Delay(journey.After, clock, cancellationToken);
            return answer is null || journey.LostAfter ? throw new HttpRequestException(HttpRequestError.ResponseEnded, "lost") : answer;
        }

        private async Task<HttpResponseMessage?> ArriveAsync(Journey journey, HttpMethod method, string body)
        {
            if (journey.Before > TimeSpan.Zero) await Task.Delay(journey.Before, clock, CancellationToken.None);
            return journey.LostBefore ? null : server.Answer(method, body);
        }
    }
}
