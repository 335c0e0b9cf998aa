using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Opt.Api.Protocol;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.Simulation;
using Opt.Operator.Agents;
using Opt.Planning.Tests.World;
using Opt.Scenarios.World;

namespace Opt.Bench.Kubernetes;

/// <summary>The agents of simulated pods over real HTTP: one server that listens at the address of every pod.</summary>
internal sealed class AgentEndpoints : IAsyncDisposable
{
    private const int Port = 9440;
    private readonly ConcurrentDictionary<string, ScriptedAgents> _jobs = new();   // by job uid: each has a store of its own
    private readonly ConcurrentDictionary<string, (AgentTarget Target, ScriptedAgents Agents)> _targets = new();
    private readonly ConcurrentDictionary<string, byte> _connections = new();
    private long _requests;
    private volatile ReadPlan _plan = new([], null);
    private readonly WebApplication _app;
    private readonly ITimer _trainer;

    private AgentEndpoints(WebApplication app, TimeSpan step)
    {
        _app = app;
        _trainer = TimeProvider.System.CreateTimer(_ =>
        {
            foreach (var job in _jobs.Values) job.Tick();
        }, null, step, step);
    }

    /// <summary>Requests answered, and connections that have ever been open.</summary>
    public (long Requests, int Connections) Seen => (Interlocked.Read(ref _requests), _connections.Count);

    /// <summary>The address with this number; see <see cref="SimulatedNodeOptions.Address"/>.</summary>
    public static string Address(int number) => $"127.77.{number >> 8 & 255}.{number & 255}";

    /// <summary>Listens at every address of this machine, so at those of all pods.</summary>
    /// <param name="step">Time of a training step.</param>
    public static async Task<AgentEndpoints> StartAsync(TimeSpan step)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Any, Port));
        var endpoints = new AgentEndpoints(builder.Build(), step);
        endpoints._app.Run(endpoints.HandleAsync);
        await endpoints._app.StartAsync();
        return endpoints;
    }

    /// <summary>New agents with an empty checkpoint store: the old one belongs to the job before.</summary>
    public void Reset() => _jobs.Clear();

    public ISimulatedPod Script() => new AgentPod(this);

    public async ValueTask DisposeAsync()
    {
        await _trainer.DisposeAsync();
        using var now = new CancellationTokenSource(TimeSpan.Zero);   // long polls do not end by themselves
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext http)
    {
        Interlocked.Increment(ref _requests);
        _connections.TryAdd(http.Connection.Id, 0);
        var (target, agents) = _targets.GetValueOrDefault(http.Connection.LocalIpAddress!.MapToIPv4().ToString());
        var ct = http.RequestAborted;
        try
        {
            if (target is null) throw new AgentException("no pod runs here", HttpStatusCode.ServiceUnavailable);
            switch ($"{http.Request.Method} {http.Request.Path}")
            {
                case "GET /v1/status": await AnswerAsync(http, await agents.GetStatusAsync(target, ct), ProtocolJson.Default.AgentStatus); break;
                case "GET /v1/catalogue": await AnswerAsync(http, await agents.GetCatalogueAsync(target, ct), ProtocolJson.Default.Catalogue); break;
                case "GET /v1/steps": await AnswerAsync(http, await agents.GetStepsAsync(target, Number(http, "epoch"), Number(http, "after"), TimeSpan.FromSeconds(Number(http, "waitSeconds")), ct), ProtocolJson.Default.StepsPage); break;
                case "PUT /v1/plan": await agents.PutPlanAsync(target, await PlanAsync(http), ct); break;
                case "PUT /v1/control": await agents.PutControlAsync(target, (await http.Request.ReadFromJsonAsync(ProtocolJson.Default.ControlRequest, ct))!, ct); break;
                case "PUT /v1/fence": await AnswerAsync(http, await agents.PutFenceAsync(target, (await http.Request.ReadFromJsonAsync(ProtocolJson.Default.FenceRequest, ct))!, ct), ProtocolJson.Default.Catalogue); break;
                case "PUT /v1/checkpoints": await AnswerAsync(http, await agents.PutCheckpointAsync(target, (await http.Request.ReadFromJsonAsync(ProtocolJson.Default.CheckpointMark, ct))!, ct), ProtocolJson.Default.Catalogue); break;
                case "GET /v1/stacks": await AnswerAsync(http, await agents.GetStacksAsync(target, ct), ProtocolJson.Default.StacksReport); break;
                case "POST /v1/diagnostics": await agents.PostDiagnosticsAsync(target, (await http.Request.ReadFromJsonAsync(ProtocolJson.Default.DiagnosticsRequest, ct))!, ct); break;
                case "PUT /v1/logbook": await agents.PutLogbookAsync(target, (await http.Request.ReadFromJsonAsync(ProtocolJson.Default.LogbookRequest, ct))!, ct); break;
                default: http.Response.StatusCode = 404; break;
            }
        }
        catch (AgentException e)
        {
            http.Response.StatusCode = (int)(e.Status ?? HttpStatusCode.BadGateway);
            await AnswerAsync(http, new AgentError { Error = e.Message }, ProtocolJson.Default.AgentError);
        }
    }

    /// <summary>Real agents are machines of their own; here one plan goes to thousands in this process and is read once.</summary>
    private async Task<RunPlan> PlanAsync(HttpContext http)
    {
        using var body = new MemoryStream((int)(http.Request.ContentLength ?? 0));
        await http.Request.Body.CopyToAsync(body, http.RequestAborted);
        var read = _plan;
        if (!body.GetBuffer().AsSpan(0, (int)body.Length).SequenceEqual(read.Json)) _plan = read = new(body.ToArray(), JsonSerializer.Deserialize(body.ToArray(), ProtocolJson.Default.RunPlan)!);
        return read.Plan!;
    }

    private sealed record ReadPlan(byte[] Json, RunPlan? Plan);

    private static long Number(HttpContext http, string name) => long.Parse(http.Request.Query[name]!, CultureInfo.InvariantCulture);

    private static Task AnswerAsync<T>(HttpContext http, T body, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
    {
        http.Response.ContentType = "application/json";
        return http.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(body, type), http.RequestAborted).AsTask();
    }

    private sealed class AgentPod(AgentEndpoints endpoints) : ISimulatedPod
    {
        private SimulatedPodContext? _context;

        public async ValueTask StartAsync(SimulatedPodContext context, CancellationToken ct)
        {
            _context = context;
            var (pod, uid) = (context.Pod.Str("metadata", "name")!, context.Pod.Str("metadata", "uid")!);
            var jobUid = (string)context.Pod["spec"]!["containers"]![0]!["env"]!.AsArray().Single(e => (string)e!["name"]! == "OPT_JOB_UID")!["value"]!;
            var agents = endpoints._jobs.GetOrAdd(jobUid, _ => new(TimeProvider.System));
            agents.Start(context.Ip, new SimulatedAgent(jobUid, pod, uid, context.Node, $"instance-{uid}"));
            endpoints._targets[context.Ip] = (new(pod, uid, context.Ip, Port, ""), agents);
            await context.RunAsync(ready: true, ct);
        }

        public async ValueTask StopAsync(TimeSpan grace, CancellationToken ct) => await _context!.ExitAsync(143, ct);

        public void Dead()
        {
            if (_context is null) return;
            if (endpoints._targets.TryRemove(_context.Ip, out var removed)) removed.Agents.Stop(_context.Ip);
        }
    }
}
