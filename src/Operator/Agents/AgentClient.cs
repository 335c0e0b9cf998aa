using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Opt.Api.Protocol;

namespace Opt.Operator.Agents;

/// <summary>
/// HTTP/JSON to agents over kept-alive connections, and TLS where the job asks for it. No retries here but with the token before, while a new one
/// spreads: the poller asks again anyway, and writes are repeated by the next pass.
/// </summary>
public sealed class AgentClient : IAgentClient, IDisposable
{
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PlanDeadline = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan MarkDeadline = TimeSpan.FromSeconds(10);   // a person's wish holds up nothing else
    private static readonly TimeSpan StoreDeadline = TimeSpan.FromSeconds(45);

    private readonly AgentConnections _connections;
    private readonly TimeProvider _clock;
    private PlanBody? _newest;

    /// <param name="plain">For agents without TLS.</param>
    public AgentClient(HttpMessageInvoker plain, TimeProvider clock) => (_connections, _clock) = (new(plain), clock);

    /// <summary>A client with connections of its own.</summary>
    public static AgentClient Create(TimeProvider clock) => new(AgentConnections.Open(null), clock);

    public Task<AgentStatus> GetStatusAsync(AgentTarget target, CancellationToken ct) => GetAsync(target, "/v1/status", ProtocolJson.Default.AgentStatus, Short, ct);

    public Task<StepsPage> GetStepsAsync(AgentTarget target, long epoch, long after, TimeSpan wait, CancellationToken ct) =>
        GetAsync(target, FormattableString.Invariant($"/v1/steps?epoch={epoch}&after={after}&waitSeconds={(int)wait.TotalSeconds}"), ProtocolJson.Default.StepsPage, wait + Short, ct);

    public Task<ArchivePage> GetArchiveAsync(AgentTarget target, long epoch, int after, CancellationToken ct) =>
        GetAsync(target, FormattableString.Invariant($"/v1/archive?epoch={epoch}&after={after}"), ProtocolJson.Default.ArchivePage, StoreDeadline, ct);

    public Task<LogbookPage> GetLogbookAsync(AgentTarget target, CancellationToken ct) => GetAsync(target, "/v1/logbook", ProtocolJson.Default.LogbookPage, StoreDeadline, ct);

    public Task<Catalogue> GetCatalogueAsync(AgentTarget target, CancellationToken ct) => GetAsync(target, "/v1/catalogue", ProtocolJson.Default.Catalogue, StoreDeadline, ct);

    public Task PutPlanAsync(AgentTarget target, RunPlan plan, CancellationToken ct) => SendAsync(target, HttpMethod.Put, "/v1/plan", BodyOf(plan), PlanDeadline, ct);

    public async Task<Catalogue> PutFenceAsync(AgentTarget target, FenceRequest request, CancellationToken ct) =>
        Read(await SendAsync(target, HttpMethod.Put, "/v1/fence", Body(request, ProtocolJson.Default.FenceRequest), StoreDeadline, ct), ProtocolJson.Default.Catalogue, target, "/v1/fence");

    public async Task<Catalogue> PutCheckpointAsync(AgentTarget target, CheckpointMark mark, CancellationToken ct) =>
        Read(await SendAsync(target, HttpMethod.Put, "/v1/checkpoints", Body(mark, ProtocolJson.Default.CheckpointMark), MarkDeadline, ct), ProtocolJson.Default.Catalogue, target, "/v1/checkpoints");

    public Task PutLogbookAsync(AgentTarget target, LogbookRequest request, CancellationToken ct) => SendAsync(target, HttpMethod.Put, "/v1/logbook", Body(request, ProtocolJson.Default.LogbookRequest), StoreDeadline, ct);

    public Task<StacksReport> GetStacksAsync(AgentTarget target, CancellationToken ct) => GetAsync(target, "/v1/stacks", ProtocolJson.Default.StacksReport, Short, ct);

    public Task PostDiagnosticsAsync(AgentTarget target, DiagnosticsRequest request, CancellationToken ct) => SendAsync(target, HttpMethod.Post, "/v1/diagnostics", Body(request, ProtocolJson.Default.DiagnosticsRequest), Short, ct);

    public Task PutControlAsync(AgentTarget target, ControlRequest request, CancellationToken ct) => SendAsync(target, HttpMethod.Put, "/v1/control", Body(request, ProtocolJson.Default.ControlRequest), Short, ct);

    public void Dispose() => _connections.Dispose();

    private async Task<T> GetAsync<T>(AgentTarget target, string path, JsonTypeInfo<T> type, TimeSpan deadline, CancellationToken ct) =>
        Read(await SendAsync(target, HttpMethod.Get, path, null, deadline, ct), type, target, path);

    private async Task<byte[]> SendAsync(AgentTarget target, HttpMethod method, string path, byte[]? body, TimeSpan deadline, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(target);
        using var timeout = new CancellationTokenSource(deadline, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        try
        {
            var (code, content) = await SendAsync(target, method, path, body, target.Token, either.Token);
            if (code is HttpStatusCode.Unauthorized && target.FormerToken is { } former) (code, content) = await SendAsync(target, method, path, body, former, either.Token);
            return (int)code is >= 200 and < 300 ? content : throw new AgentException($"{target.Pod}: {method} {path.Split('?')[0]}: {(int)code} {Text(content)}", code);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new AgentException($"{target.Pod}: {method} {path.Split('?')[0]}: no answer within {deadline.TotalSeconds:0} s");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new AgentException($"{target.Pod}: {method} {path.Split('?')[0]}: {e.Message}", inner: e);
        }
    }

    private async Task<(HttpStatusCode Code, byte[] Content)> SendAsync(AgentTarget target, HttpMethod method, string path, byte[]? body, string token, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(method, target.Url(path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (body is not null) request.Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        using var response = await _connections.For(target).SendAsync(request, ct);
        return (response.StatusCode, await response.Content.ReadAsByteArrayAsync(ct));
    }

    private static T Read<T>(byte[] content, JsonTypeInfo<T> type, AgentTarget target, string path)
    {
        try
        {
            return JsonSerializer.Deserialize(content, type) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new AgentException($"{target.Pod}: {path.Split('?')[0]}: unreadable answer: {e.Message}", inner: e);
        }
    }

    private static string Text(byte[] content)
    {
        try
        {
            return JsonSerializer.Deserialize(content, ProtocolJson.Default.AgentError)?.Error ?? "";
        }
        catch (JsonException)
        {
            return System.Text.Encoding.UTF8.GetString(content.AsSpan(0, Math.Min(content.Length, 200)));
        }
    }

    /// <summary>A plan goes to all its members: with 2,048 of them it is half a megabyte, written once.</summary>
    private byte[] BodyOf(RunPlan plan)
    {
        var newest = _newest;
        if (newest is null || !ReferenceEquals(newest.Plan, plan)) _newest = newest = new(plan, JsonSerializer.SerializeToUtf8Bytes(plan, ProtocolJson.Default.RunPlan));
        return newest.Json;
    }

    private static byte[] Body<T>(T value, JsonTypeInfo<T> type) => JsonSerializer.SerializeToUtf8Bytes(value, type);

    private sealed record PlanBody(RunPlan Plan, byte[] Json);
}
