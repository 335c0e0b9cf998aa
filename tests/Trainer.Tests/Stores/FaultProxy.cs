#pragma warning disable CA5351 // MD5 is what the protocol uses
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Opt.Trainer.Tests.Stores;

/// <summary>A reverse proxy in front of a blob service on loopback that goes wrong where the test says.</summary>
internal sealed class FaultProxy : IAsyncDisposable
{
    private static readonly string[] HopByHop = ["Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Host", "Expect"];
    private readonly WebApplication _app;
    private readonly HttpClient _client = new(new SocketsHttpHandler { AutomaticDecompression = System.Net.DecompressionMethods.None, MaxConnectionsPerServer = 32 });
    private readonly Uri _upstream;
    private readonly Func<string, string, HttpFault> _next;
    private int _faults;

    private FaultProxy(WebApplication app, Uri upstream, Func<string, string, HttpFault> next) => (_app, _upstream, _next) = (app, upstream, next);

    /// <summary>The service's endpoint, through this proxy.</summary>
    public string Endpoint => $"{_app.Urls.Single()}{_upstream.AbsolutePath}";

    /// <summary>Faults so far.</summary>
    public int Faults => _faults;

    /// <param name="endpoint">Of the service, with the account as path.</param>
    /// <param name="next">Fault of a request by its method and path with query.</param>
    public static async Task<FaultProxy> StartAsync(string endpoint, Func<string, string, HttpFault> next)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.Zero);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1);
        });
        var app = builder.Build();
        var proxy = new FaultProxy(app, new Uri(endpoint), next);
        app.Run(proxy.HandleAsync);
        await app.StartAsync();
        return proxy;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _client.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        try
        {
            await AnswerAsync(context);
        }
        catch (Exception e) when (e is OperationCanceledException or HttpRequestException or IOException)
        {
            context.Abort();   // the client went away, or the service did
        }
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var fault = _next(context.Request.Method, target);
        if (fault != HttpFault.None) Interlocked.Increment(ref _faults);
        if (fault == HttpFault.CutBefore) context.Abort();
        else if (StatusOf(fault) is { } status && fault != HttpFault.ErrorAfter) await RefuseAsync(context, status);
        else await ForwardAsync(context, target, fault);
    }

    private async Task ForwardAsync(HttpContext context, string target, HttpFault fault)
    {
        using var answer = await _client.SendAsync(await RequestAsync(context, target, fault), context.RequestAborted);
        var body = await answer.Content.ReadAsByteArrayAsync(context.RequestAborted);
        if (fault == HttpFault.CutAfter)
        {
            context.Abort();
            return;
        }

        if (fault == HttpFault.ErrorAfter)
        {
            await RefuseAsync(context, 500);
            return;
        }

        context.Response.StatusCode = (int)answer.StatusCode;
        foreach (var (name, values) in answer.Headers.Concat(answer.Content.Headers).Where(h => !HopByHop.Contains(h.Key))) context.Response.Headers[name] = values.ToArray();
        if (context.Request.Method == "HEAD") context.Response.ContentLength = answer.Content.Headers.ContentLength;
        else await WriteAsync(context, body, fault);
    }

    private async Task<HttpRequestMessage> RequestAsync(HttpContext context, string target, HttpFault fault)
    {
        var request = new HttpRequestMessage(new(context.Request.Method), new Uri(_upstream.GetLeftPart(UriPartial.Authority) + target));
        if (context.Request.Method is "PUT" or "POST")
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            var bytes = body.ToArray();
            if (fault == HttpFault.CorruptedUpload && bytes.Length > 0) bytes[bytes.Length / 2] ^= 0x20;
            request.Content = new ByteArrayContent(bytes);
        }

        foreach (var (name, values) in context.Request.Headers.Where(h => !HopByHop.Contains(h.Key)))
        {
            if (!request.Headers.TryAddWithoutValidation(name, values.ToArray())) request.Content?.Headers.TryAddWithoutValidation(name, values.ToArray());
        }

        return request;
    }

    private static async Task WriteAsync(HttpContext context, byte[] body, HttpFault fault)
    {
        var response = context.Response;
        if (fault is HttpFault.Corrupted or HttpFault.CorruptedBeforeHash && body.Length > 0) body[body.Length / 2] ^= 0x20;
        if (fault == HttpFault.CorruptedBeforeHash && response.Headers.ContainsKey("Content-MD5")) response.Headers["Content-MD5"] = Convert.ToBase64String(MD5.HashData(body));
        if (fault == HttpFault.TruncatedCleanly) body = body[..(body.Length / 2)];
        response.ContentLength = body.Length;
        var first = fault is HttpFault.Slow or HttpFault.Stalled or HttpFault.Truncated ? body.Length / 2 : body.Length;
        await response.Body.WriteAsync(body.AsMemory(0, first), context.RequestAborted);
        if (first == body.Length) return;
        await response.Body.FlushAsync(context.RequestAborted);
        if (fault == HttpFault.Truncated) context.Abort();
        await Task.Delay(fault == HttpFault.Slow ? TimeSpan.FromMilliseconds(30) : Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
        await response.Body.WriteAsync(body.AsMemory(first), context.RequestAborted);
    }

    private static int? StatusOf(HttpFault fault) => fault switch
    {
        HttpFault.Forbidden => 403,
        HttpFault.Conflict => 409,
        HttpFault.PreconditionFailed => 412,
        HttpFault.TooManyRequests => 429,
        HttpFault.ServerError or HttpFault.ErrorAfter => 500,
        HttpFault.Unavailable => 503,
        _ => null,
    };

    private static Task RefuseAsync(HttpContext context, int status)
    {
        var code = status switch { 403 => "AuthorizationFailure", 409 => "BlobAlreadyExists", 412 => "ConditionNotMet", 500 => "InternalError", _ => "ServerBusy" };
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/xml";
        context.Response.Headers["x-ms-error-code"] = code;
        if (status is 429 or 503) context.Response.Headers.RetryAfter = "1";
        return context.Response.WriteAsync($"<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>by the test's proxy</Message></Error>");
    }
}
