using System.Globalization;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Agent.Http;

/// <summary>The agent's protocol over HTTP/1.1 (DESIGN 6). Thin: reads, asks <see cref="TrainerAgent"/>, writes.</summary>
internal static class AgentServer
{
    /// <summary>A plan of a thousand members is about 400 KB.</summary>
    private const int MaxBody = 8 << 20;

    private static readonly TimeSpan LongestPoll = TimeSpan.FromSeconds(60), LongestStacks = TimeSpan.FromSeconds(4);

    /// <summary>Listens; dispose of the answer to stop.</summary>
    /// <exception cref="TrainerException">PortInUse.</exception>
    public static async Task<WebApplication> StartAsync(TrainerAgent agent, AgentOptions options, AgentToken token, ILoggerFactory loggers, CancellationToken ct)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Services.AddSingleton(loggers);
        builder.Services.AddSingleton<IHostLifetime, CallersLifetime>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxBody;
            kestrel.Limits.MaxRequestHeadersTotalSize = 16 << 10;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            kestrel.Limits.MaxConcurrentConnections = 256;
            kestrel.Listen(options.PodIp, options.Port, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                if (options.Tls) listen.UseHttps(https => (https.SslProtocols, https.ServerCertificateSelector) = (SslProtocols.Tls12 | SslProtocols.Tls13, (_, _) => token.Certificate));
            });
        });
        var app = builder.Build();
        app.Use((context, next) => AuthorizeAsync(context, next, token));
        Map(app, agent);
        CopyEndpoints.Map(app, new NodeCopies(options.CopyFolders), () => agent.Epoch);
        try
        {
            await app.StartAsync(ct);
            return app;
        }
        catch (IOException e) when (e.InnerException is AddressInUseException)
        {
            await app.DisposeAsync();
            throw new TrainerException(WorkerExit.PortInUse, $"the agent's port {options.Port} on {options.PodIp} is taken; another agent may still be ending", e);
        }
    }

    private static void Map(WebApplication app, TrainerAgent agent)
    {
        app.MapGet("/healthz", (RequestDelegate)(context => context.Response.WriteAsync("ok")));
        app.MapGet("/metrics", (RequestDelegate)(context =>
        {
            context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            return context.Response.WriteAsync(AgentMetrics.Render(agent.Status, agent.Plan));
        }));
        app.MapGet("/v1/status", (RequestDelegate)(context => StatusAsync(context, agent)));
        app.MapGet("/v1/steps", (RequestDelegate)(context => StepsAsync(context, agent)));
        app.MapGet("/v1/archive", (RequestDelegate)(context => GuardAsync(context, () => ArchiveAsync(context, agent))));
        app.MapGet("/v1/logbook", (RequestDelegate)(context => GuardAsync(context, async () => await WriteAsync(context, await agent.LogbookAsync(context.RequestAborted), ProtocolJson.Default.LogbookPage))));
        app.MapGet("/v1/catalogue", (RequestDelegate)(context => GuardAsync(context, async () => await WriteAsync(context, await agent.CatalogueAsync(context.RequestAborted), ProtocolJson.Default.Catalogue))));
        app.MapPut("/v1/checkpoints", (RequestDelegate)(context => GuardAsync(context, () => MarkAsync(context, agent))));
        app.MapPut("/v1/fence", (RequestDelegate)(context => GuardAsync(context, () => FenceAsync(context, agent))));
        app.MapPut("/v1/logbook", (RequestDelegate)(context => GuardAsync(context, () => LogbookAsync(context, agent))));
        app.MapPut("/v1/plan", (RequestDelegate)(context => GuardAsync(context, () => PlanAsync(context, agent))));
        app.MapGet("/v1/stacks", (RequestDelegate)(context => StacksAsync(context, agent)));
        app.MapPost("/v1/diagnostics", (RequestDelegate)(context => GuardAsync(context, () => DiagnosticsAsync(context, agent))));
        app.MapPut("/v1/control", (RequestDelegate)(context => GuardAsync(context, () => ControlAsync(context, agent))));
    }

    /// <summary>Health and metrics are open, as probes and scrapers expect; everything else needs the job's token.</summary>
    private static Task AuthorizeAsync(HttpContext context, RequestDelegate next, AgentToken token)
    {
        var open = !context.Request.Path.StartsWithSegments("/v1");
        if (open || token.Accepts(context.Request.Headers.Authorization)) return next(context);
        context.Response.Headers.WWWAuthenticate = "Bearer";
        return RefuseAsync(context, StatusCodes.Status401Unauthorized, "the bearer token of the job is missing or wrong");
    }

    private static async Task StatusAsync(HttpContext context, TrainerAgent agent)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(agent.Status, ProtocolJson.Default.AgentStatus);
        var tag = $"\"{Convert.ToHexStringLower(SHA256.HashData(body).AsSpan(0, 12))}\"";
        context.Response.Headers.ETag = tag;
        if (context.Request.Headers.IfNoneMatch == tag) context.Response.StatusCode = StatusCodes.Status304NotModified;
        else await WriteBytesAsync(context, body);
    }

    private static async Task StepsAsync(HttpContext context, TrainerAgent agent)
    {
        if (!TryNumber(context, "epoch", out var epoch) || !TryNumber(context, "after", out var after) || !TryNumber(context, "waitSeconds", out var wait))
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, "epoch, after and waitSeconds must be whole numbers of at least 0");
            return;
        }

        var patience = TimeSpan.FromSeconds(Math.Min(wait, LongestPoll.TotalSeconds));
        await WriteAsync(context, await agent.StepsAsync(epoch, after, patience, context.RequestAborted), ProtocolJson.Default.StepsPage);
    }

    /// <summary>On a thread of its own and with a deadline: files of the kernel seldom block, but this is asked when something is wrong.</summary>
    private static async Task StacksAsync(HttpContext context, TrainerAgent agent)
    {
        try
        {
            await WriteAsync(context, await Task.Run(agent.Stacks, context.RequestAborted).WaitAsync(LongestStacks, context.RequestAborted), ProtocolJson.Default.StacksReport);
        }
        catch (TimeoutException)
        {
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, $"the kernel did not tell within {LongestStacks.TotalSeconds:0} s where the workers stand");
        }
    }

    private static async Task ArchiveAsync(HttpContext context, TrainerAgent agent)
    {
        if (TryNumber(context, "epoch", out var epoch) && TryNumber(context, "after", out var after) && after <= 2_000_000_000)
        {
            await WriteAsync(context, await agent.ArchiveAsync(epoch, (int)after, context.RequestAborted), ProtocolJson.Default.ArchivePage);
            return;
        }

        await RefuseAsync(context, StatusCodes.Status400BadRequest, "epoch and after must be whole numbers, after one of 0 to 2000000000");
    }

    private static async Task FenceAsync(HttpContext context, TrainerAgent agent)
    {
        if (await ReadAsync(context, ProtocolJson.Default.FenceRequest) is not { } request) return;
        if (request.Epoch < 1) await RefuseAsync(context, StatusCodes.Status400BadRequest, $"epoch is {request.Epoch}; the first is 1");
        else await WriteAsync(context, await agent.FenceAsync(request, context.RequestAborted), ProtocolJson.Default.Catalogue);
    }

    private static async Task MarkAsync(HttpContext context, TrainerAgent agent)
    {
        if (await ReadAsync(context, ProtocolJson.Default.CheckpointMark) is not { } mark) return;
        if (mark.Condemn is { } reason && string.IsNullOrWhiteSpace(reason)) await RefuseAsync(context, StatusCodes.Status400BadRequest, "condemn is empty; it must say why");
        else if (await agent.MarkAsync(mark, context.RequestAborted) is { } catalogue) await WriteAsync(context, catalogue, ProtocolJson.Default.Catalogue);
        else await RefuseAsync(context, StatusCodes.Status404NotFound, $"there is no checkpoint with commit entry {mark.Entry} and manifest {mark.ManifestDigest}");
    }

    private static async Task LogbookAsync(HttpContext context, TrainerAgent agent)
    {
        if (await ReadAsync(context, ProtocolJson.Default.LogbookRequest) is { } request) await agent.RecordAsync(request, context.RequestAborted);
    }

    private static async Task PlanAsync(HttpContext context, TrainerAgent agent)
    {
        if (await ReadAsync(context, ProtocolJson.Default.RunPlan) is { } plan) await AnswerAsync(context, agent.PutPlan(plan));
    }

    private static async Task DiagnosticsAsync(HttpContext context, TrainerAgent agent)
    {
        if (await ReadAsync(context, ProtocolJson.Default.DiagnosticsRequest) is { } request) await AnswerAsync(context, agent.PostDiagnostics(request));
    }

    private static async Task AnswerAsync(HttpContext context, PlanVerdict verdict)
    {
        var code = verdict.Action switch
        {
            PlanAction.Launch => StatusCodes.Status202Accepted,
            PlanAction.Known or PlanAction.Revision => StatusCodes.Status200OK,
            PlanAction.Invalid => StatusCodes.Status400BadRequest,
            _ => StatusCodes.Status409Conflict,
        };
        if (code >= 400) await RefuseAsync(context, code, verdict.Message);
        else context.Response.StatusCode = code;
    }

    private static async Task ControlAsync(HttpContext context, TrainerAgent agent)
    {
        if (await ReadAsync(context, ProtocolJson.Default.ControlRequest) is not { } request) return;
        if (agent.Control(request) is { } refusal) await RefuseAsync(context, StatusCodes.Status409Conflict, refusal);
        else context.Response.StatusCode = StatusCodes.Status202Accepted;
    }

    /// <summary>Refusals of the store as answers: 409 for a store of a newer epoch or another job, 503 while it does not answer.</summary>
    private static async Task GuardAsync(HttpContext context, Func<Task> handle)
    {
        try
        {
            await handle();
        }
        catch (StoreFencedException e)
        {
            await RefuseAsync(context, StatusCodes.Status409Conflict, e.Message);
        }
        catch (Exception e) when (e is StoreException or CheckpointException)
        {
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, e.Message);
        }
    }

    private static bool TryNumber(HttpContext context, string name, out long value)
    {
        value = 0;
        var text = (string?)context.Request.Query[name];
        return text is null || long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
    }

    private static async Task<T?> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            var value = await JsonSerializer.DeserializeAsync(context.Request.Body, type, context.RequestAborted);
            if (value is not null) return value;
            await RefuseAsync(context, StatusCodes.Status400BadRequest, "the body is null");
        }
        catch (JsonException e)
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, $"the body is not a {typeof(T).Name}: {e.Message}");
        }
        catch (Microsoft.AspNetCore.Http.BadHttpRequestException e)
        {
            await RefuseAsync(context, e.StatusCode, e.Message);
        }

        return null;
    }

    private static Task RefuseAsync(HttpContext context, int code, string message)
    {
        context.Response.StatusCode = code;
        return WriteAsync(context, new AgentError { Error = message }, ProtocolJson.Default.AgentError);
    }

    private static Task WriteAsync<T>(HttpContext context, T value, JsonTypeInfo<T> type) => WriteBytesAsync(context, JsonSerializer.SerializeToUtf8Bytes(value, type));

    /// <summary>Signals are the command's business: the server must answer while workers end.</summary>
    private sealed class CallersLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private static Task WriteBytesAsync(HttpContext context, byte[] body)
    {
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }
}
