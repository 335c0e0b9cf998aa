using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Opt.Operator.Dashboard.Access;

namespace Opt.Operator.Dashboard;

/// <summary>
/// The read-only page and its data. Files come out of this assembly, data from local copies, permission from the API server; nothing is ever
/// written, and the page loads nothing from elsewhere.
/// </summary>
internal sealed class DashboardServer : IAsyncDisposable
{
    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    private readonly WebApplication _app;

    private DashboardServer(WebApplication app) => _app = app;

    /// <summary>Where it is served, with the port that was taken.</summary>
    public Uri Address { get; private set; } = null!;

    /// <param name="bind">Null for every address of the machine.</param>
    /// <param name="port">0 takes a free one.</param>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<DashboardServer> StartAsync(IPAddress? bind, int port, IDashboardData data, IAccess access, TimeProvider clock, CancellationToken ct)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 32 << 10;   // the largest body is a token
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            kestrel.Limits.MaxConcurrentConnections = 1000;
            if (bind is null) kestrel.ListenAnyIP(port);
            else kestrel.Listen(bind, port);
        });
        var app = builder.Build();
        var server = new DashboardServer(app);
        app.Use(HardenAsync);
        app.UseRouting();
        new DashboardApi(data, access, clock, app.Lifetime.ApplicationStopping).Map(app);
        app.MapGet("/{**path}", (RequestDelegate)StaticFiles.ServeAsync);
        await app.StartAsync(ct);
        server.Address = new UriBuilder(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()) { Host = (bind ?? IPAddress.Loopback).ToString() }.Uri;
        return server;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static Task HardenAsync(HttpContext http, RequestDelegate next)
    {
        var headers = http.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.CacheControl = "no-store";
        return next(http);
    }
}
