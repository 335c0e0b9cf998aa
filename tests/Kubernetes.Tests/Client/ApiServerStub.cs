using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Opt.Kubernetes.Tests;

/// <summary>One request as the server saw it.</summary>
internal sealed record Seen(string Method, string PathAndQuery, string ContentType, string Body, string Authorization);

/// <summary>A real HTTP server on loopback that answers as the test says, request by request, down to half lines and cut connections.</summary>
internal sealed class ApiServerStub : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly List<Seen> _requests = [];

    private ApiServerStub(WebApplication app) => _app = app;

    public Uri Host => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    public IReadOnlyList<Seen> Requests
    {
        get { lock (_requests) return [.. _requests]; }
    }

    /// <summary>Starts a server that hands the n-th request (from 0) to <paramref name="answer"/>.</summary>
    public static async Task<ApiServerStub> StartAsync(Func<int, HttpContext, Task> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var stub = new ApiServerStub(app);
        app.Run(async context => await answer(await stub.RecordAsync(context.Request), context));
        await app.StartAsync();
        return stub;
    }

    /// <summary>Answers in turn; the last answer repeats.</summary>
    public static Task<ApiServerStub> StartAsync(params Func<HttpContext, Task>[] answers) =>
        StartAsync((n, context) => answers[Math.Min(n, answers.Length - 1)](context));

    public static Func<HttpContext, Task> Json(int code, string body, params (string Name, string Value)[] headers) => async context =>
    {
        context.Response.StatusCode = code;
        context.Response.ContentType = "application/json";
        foreach (var (name, value) in headers) context.Response.Headers.Append(name, value);
        await context.Response.WriteAsync(body);
    };

    public static Func<HttpContext, Task> Refuse(int code, string reason, params (string Name, string Value)[] headers) =>
        Json(code, $$"""{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"refused","reason":"{{reason}}","code":{{code}}}""", headers);

    /// <summary>Writes the pieces one by one, flushed, then ends cleanly.</summary>
    public static Func<HttpContext, Task> Stream(params string[] pieces) => async context =>
    {
        foreach (var piece in pieces)
        {
            await context.Response.WriteAsync(piece);
            await context.Response.Body.FlushAsync();
        }
    };

    /// <summary>Waits until so many requests have arrived, or for ten seconds.</summary>
    public async Task WaitForRequestsAsync(int count)
    {
        for (var poll = 0; poll < 1000 && Requests.Count < count; poll++) await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await _app.StopAsync(stop.Token);
        await _app.DisposeAsync();
    }

    private async Task<int> RecordAsync(HttpRequest request)
    {
        using var reader = new StreamReader(request.Body);
        var seen = new Seen(request.Method, request.Path.ToUriComponent() + request.QueryString, request.ContentType ?? "", await reader.ReadToEndAsync(), request.Headers.Authorization.ToString());
        lock (_requests)
        {
            _requests.Add(seen);
            return _requests.Count - 1;
        }
    }
}
