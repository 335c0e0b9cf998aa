using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Operator.Agents;
using Opt.Operator.Rendering;

namespace Opt.Operator.Tests.Agents;

/// <summary>A small agent over real HTTP: answers what a test sets.</summary>
internal sealed class TestAgent : IAsyncDisposable
{
    private const string Token = "secret";
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<TaskCompletionSource> _waiting = new();

    private TestAgent(WebApplication app) => _app = app;

    public AgentStatus Status { get; set; } = new() { Instance = "one", JobUid = "job", Pod = "opt-0", PodUid = "pod-uid", Node = "node-0", State = AgentState.Idle, Store = new() { Reachable = true } };
    public List<StepRecord> Steps { get; } = [];
    public ConcurrentQueue<string> Requests { get; } = new();
    public Func<HttpContext, Task<bool>> Before { get; set; } = _ => Task.FromResult(false);
    public RunPlan? Plan { get; private set; }
    public ControlRequest? Control { get; private set; }
    public AgentTarget Target { get; private set; } = null!;

    /// <param name="certificate">To speak TLS with.</param>
    public static async Task<TestAgent> StartAsync(X509Certificate2? certificate = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, listen =>
        {
            if (certificate is not null) listen.UseHttps(certificate);
        }));
        var app = builder.Build();
        var agent = new TestAgent(app);
        app.Run(agent.HandleAsync);
        await app.StartAsync();
        var port = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
        agent.Target = new("opt-0", "pod-uid", "127.0.0.1", port, Token) { Pin = certificate is null ? null : AgentSecret.PinOf(certificate) };
        return agent;
    }

    /// <summary>Adds records and answers the long polls that wait for them.</summary>
    public void Step(params StepRecord[] records)
    {
        lock (Steps) Steps.AddRange(records);
        while (_waiting.TryDequeue(out var waiting)) waiting.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        while (_waiting.TryDequeue(out var waiting)) waiting.TrySetResult();
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext http)
    {
        Requests.Enqueue($"{http.Request.Method} {http.Request.Path}{http.Request.QueryString}");
        if (await Before(http)) return;
        if (http.Request.Headers.Authorization != $"Bearer {Token}")
        {
            await WriteAsync(http, 401, JsonSerializer.SerializeToUtf8Bytes(new AgentError { Error = "no such token" }, ProtocolJson.Default.AgentError));
            return;
        }

        switch ($"{http.Request.Method} {http.Request.Path}")
        {
            case "GET /v1/status": await WriteAsync(http, 200, JsonSerializer.SerializeToUtf8Bytes(Status, ProtocolJson.Default.AgentStatus)); break;
            case "GET /v1/steps": await WriteAsync(http, 200, JsonSerializer.SerializeToUtf8Bytes(await PageAsync(http), ProtocolJson.Default.StepsPage)); break;
            case "PUT /v1/plan":
                Plan = await http.Request.ReadFromJsonAsync(ProtocolJson.Default.RunPlan);
                await WriteAsync(http, 202, "{}"u8.ToArray());
                break;
            case "PUT /v1/control":
                Control = await http.Request.ReadFromJsonAsync(ProtocolJson.Default.ControlRequest);
                await WriteAsync(http, 202, "{}"u8.ToArray());
                break;
            case "PUT /v1/fence": await WriteAsync(http, 200, JsonSerializer.SerializeToUtf8Bytes(new Catalogue { Entry = 3, FencedEpoch = 2 }, ProtocolJson.Default.Catalogue)); break;
            default: await WriteAsync(http, 404, "{}"u8.ToArray()); break;
        }
    }

    private async Task<StepsPage> PageAsync(HttpContext http)
    {
        var after = int.Parse(http.Request.Query["after"]!, System.Globalization.CultureInfo.InvariantCulture);
        var waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bool empty;
        lock (Steps) empty = Steps.Count <= after;
        if (empty)
        {
            _waiting.Enqueue(waiting);
            await waiting.Task;
        }

        lock (Steps) return new() { Instance = Status.Instance, Epoch = long.Parse(http.Request.Query["epoch"]!, System.Globalization.CultureInfo.InvariantCulture), Next = Steps.Count, Records = [.. Steps.Skip(after)] };
    }

    private static async Task WriteAsync(HttpContext http, int status, byte[] json)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        await http.Response.Body.WriteAsync(json);
    }
}
