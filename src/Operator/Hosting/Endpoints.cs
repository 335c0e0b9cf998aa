using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Opt.Operator.Hosting;

/// <summary>/healthz, /readyz and /metrics.</summary>
internal static class Endpoints
{
    /// <summary>Starts serving; dispose the result to stop. Null when every port is 0.</summary>
    /// <exception cref="IOException">A port is in use; the message names it.</exception>
    public static async Task<WebApplication?> StartAsync(OperatorOptions options, Func<bool> isReady, PrometheusExporter metrics, CancellationToken ct)
    {
        int[] ports = [.. new[] { options.HealthPort, options.MetricsPort }.Where(p => p > 0).Distinct()];
        if (ports.Length == 0) return null;
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = 0;   // nobody sends anything here
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            foreach (var port in ports)
            {
                if (options.BindAddress is { } address) kestrel.Listen(address, port);
                else kestrel.ListenAnyIP(port);
            }
        });
        var app = builder.Build();
        app.Run(context => ServeAsync(context, options, isReady, metrics));
        await app.StartAsync(ct);
        return app;
    }

    private static Task ServeAsync(HttpContext context, OperatorOptions options, Func<bool> isReady, PrometheusExporter metrics)
    {
        var port = context.Connection.LocalPort;
        var (status, type, text) = context.Request.Path.Value switch
        {
            "/healthz" when port == options.HealthPort => (200, "text/plain", "ok\n"),
            "/readyz" when port == options.HealthPort => isReady() ? (200, "text/plain", "ok\n") : (503, "text/plain", "the local copies are not complete yet\n"),
            "/metrics" when port == options.MetricsPort => (200, "text/plain; version=0.0.4", metrics.Write()),
            _ => (404, "text/plain", "not found\n"),
        };
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        return context.Response.WriteAsync(text, context.RequestAborted);
    }
}
