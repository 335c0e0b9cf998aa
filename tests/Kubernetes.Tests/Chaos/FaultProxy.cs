using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Opt.Kubernetes.Tests;

/// <summary>What can go wrong on the way.</summary>
internal enum Fault
{
    None,
    Delay,
    Late,
    Refuse429,
    Refuse500,
    Refuse503,
    CutBefore,
    CutAfter,
    CutBody,
    Gone,
    RefuseStreaming,
    WatchGone,
    WatchCut,
    WatchHalfLine,
    WatchStall,
    WatchLag,
    WatchDuplicate,
    WatchEnd,
}

/// <summary>
/// Stands between a client and an API server and spoils what passes, by a seed. What it does is what networks, load balancers and busy servers
/// do; it never invents objects.
/// </summary>
internal sealed class FaultProxy : IAsyncDisposable
{
    private static readonly Fault[] OnAnything = [Fault.Delay, Fault.Late, Fault.Refuse429, Fault.Refuse500, Fault.Refuse503, Fault.CutBefore, Fault.CutAfter, Fault.CutBody];
    private static readonly Fault[] OnWatches = [Fault.WatchGone, Fault.WatchCut, Fault.WatchHalfLine, Fault.WatchStall, Fault.WatchLag, Fault.WatchDuplicate, Fault.WatchEnd];
    private readonly WebApplication _app;
    private readonly HttpMessageInvoker _upstream;
    private readonly Uri _target;
    private readonly Random _random;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();

    private FaultProxy(WebApplication app, HttpMessageInvoker upstream, Uri target, int seed) => (_app, _upstream, _target, _random) = (app, upstream, target, new(seed));

    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    /// <summary>The share of requests that go wrong; watches go wrong again and again while they are open.</summary>
    public double Rate { get; set; }

    public Dictionary<Fault, int> Injected { get; } = [];

    public int InjectedCount
    {
        get { lock (_gate) return Injected.Values.Sum(); }
    }

    public static async Task<FaultProxy> StartAsync(KubernetesClientConfiguration target, int seed)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var proxy = new FaultProxy(app, new(new UpstreamHandler(target)), target.Host, seed);
        app.Run(proxy.HandleAsync);
        await app.StartAsync();
        return proxy;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        using var deadline = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await _app.StopAsync(deadline.Token);
        await _app.DisposeAsync();
        _upstream.Dispose();
        _stop.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        var isWatch = context.Request.Query.ContainsKey("watch");
        var fault = Choose(FaultsFor(context.Request, isWatch));
        if (fault == Fault.Delay) await Task.Delay(TimeSpan.FromMilliseconds(Next(40)), TimeProvider.System, context.RequestAborted);
        if (await RefuseAsync(context, fault)) return;
        using var answer = await ForwardAsync(context);
        // The server has acted; other connections tell of it before this answer arrives.
        if (fault == Fault.Late) await Task.Delay(TimeSpan.FromMilliseconds(Next(120)), TimeProvider.System, context.RequestAborted);
        if (fault == Fault.CutAfter)
        {
            context.Abort();
            return;
        }

        context.Response.StatusCode = (int)answer.StatusCode;
        context.Response.ContentType = answer.Content.Headers.ContentType?.ToString();
        if (isWatch && answer.IsSuccessStatusCode) await WatchAsync(context, answer, fault);
        else await BodyAsync(context, answer, fault);
    }

    private static Fault[] FaultsFor(HttpRequest request, bool isWatch)
    {
        if (isWatch) return request.Query.ContainsKey("sendInitialEvents") ? [.. OnAnything, .. OnWatches, Fault.RefuseStreaming] : [.. OnAnything, .. OnWatches];
        return request.Query.ContainsKey("continue") ? [.. OnAnything, Fault.Gone] : OnAnything;
    }

    private static async Task<bool> RefuseAsync(HttpContext context, Fault fault)
    {
        switch (fault)
        {
            case Fault.Refuse429: await ApiServerStub.Refuse(429, "TooManyRequests", ("Retry-After", "0"))(context); return true;
            case Fault.Refuse500: await ApiServerStub.Refuse(500, "InternalError")(context); return true;
            case Fault.Refuse503: await ApiServerStub.Refuse(503, "ServiceUnavailable")(context); return true;
            case Fault.Gone: await ApiServerStub.Refuse(410, "Expired")(context); return true;
            case Fault.RefuseStreaming: await ApiServerStub.Refuse(422, "Invalid")(context); return true;
            case Fault.CutBefore: context.Abort(); return true;
            default: return false;
        }
    }

    private async Task<HttpResponseMessage> ForwardAsync(HttpContext context)
    {
        var request = new HttpRequestMessage(new(context.Request.Method), new Uri(_target, context.Request.Path.ToUriComponent() + context.Request.QueryString))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        request.Headers.Accept.ParseAdd("application/json");
        if (context.Request.ContentType is { } type)
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            request.Content = new ByteArrayContent(body.ToArray());
            request.Content.Headers.Add("Content-Type", type);
        }

        // A request that is on its way arrives, whether or not its sender still waits.
        return await _upstream.SendAsync(request, context.Request.Method == "GET" ? context.RequestAborted : _stop.Token);
    }

    private static async Task BodyAsync(HttpContext context, HttpResponseMessage answer, Fault fault)
    {
        var body = await answer.Content.ReadAsByteArrayAsync(context.RequestAborted);
        context.Response.ContentLength = body.Length;
        if (fault != Fault.CutBody)
        {
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
            return;
        }

        await context.Response.Body.WriteAsync(body.AsMemory(0, body.Length / 2), context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
        context.Abort();
    }

    private async Task WatchAsync(HttpContext context, HttpResponseMessage answer, Fault fault)
    {
        await context.Response.Body.FlushAsync(context.RequestAborted);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(context.RequestAborted), Encoding.UTF8);
        try
        {
            for (var left = Next(6); await reader.ReadLineAsync(context.RequestAborted) is { } line; left--)
            {
                if (left == 0)
                {
                    if (!await SpoilAsync(context, fault, line)) return;
                    (fault, left) = (Choose(OnWatches), 1 + Next(12));
                }
                else
                {
                    await WriteAsync(context, line + "\n");
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            context.Abort();   // one of the two sides has gone
        }
    }

    /// <summary>Returns false if the watch is over.</summary>
    private async Task<bool> SpoilAsync(HttpContext context, Fault fault, string line)
    {
        switch (fault)
        {
            case Fault.WatchGone:
                await WriteAsync(context, """{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old resource version","reason":"Expired","code":410}}""" + "\n");
                return false;
            case Fault.WatchCut or Fault.CutBody:
                context.Abort();
                return false;
            case Fault.WatchHalfLine:
                await WriteAsync(context, line[..Next(line.Length)]);
                return false;
            case Fault.WatchEnd:
                return false;
            case Fault.WatchStall:
                await Task.Delay(TimeSpan.FromSeconds(10), TimeProvider.System, context.RequestAborted);
                return false;
            case Fault.WatchLag:
                // This watch falls behind the answers and the other watches; what it tells stays in order.
                await Task.Delay(TimeSpan.FromMilliseconds(Next(120)), TimeProvider.System, context.RequestAborted);
                await WriteAsync(context, line + "\n");
                return true;
            case Fault.WatchDuplicate:
                await WriteAsync(context, line + "\n" + line + "\n");
                return true;
            default:
                await WriteAsync(context, line + "\n");
                return true;
        }
    }

    private static async Task WriteAsync(HttpContext context, string text)
    {
        await context.Response.WriteAsync(text, context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }

    private Fault Choose(Fault[] among)
    {
        lock (_gate)
        {
            if (_random.NextDouble() >= Rate) return Fault.None;
            var fault = among[_random.Next(among.Length)];
            Injected[fault] = Injected.GetValueOrDefault(fault) + 1;
            return fault;
        }
    }

    private int Next(int below)
    {
        lock (_gate) return _random.Next(below);
    }

    /// <summary>The client's own connections, with the certificate of the target's configuration.</summary>
    private sealed class UpstreamHandler : DelegatingHandler
    {
        private readonly KubernetesClientConfiguration _target;

        public UpstreamHandler(KubernetesClientConfiguration target) : base(new ApiHandler(target)) => _target = target;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Options.Set(ApiHandler.CertificateOption, _target.ClientCertificate);
            return base.SendAsync(request, cancellationToken);
        }
    }
}
