using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Opt.Kubernetes;

namespace Opt.Operator.Webhooks;

/// <summary>
/// Serves <see cref="JobAdmission"/> over HTTPS, in every replica. The certificate is changed between handshakes, so that requests under way never
/// notice; while none can be had, the last one is served on and the reason logged.
/// </summary>
internal sealed partial class WebhookServer : IAsyncDisposable
{
    public const string MutatePath = "/mutate-opttrainingjob";
    public const string ValidatePath = "/validate-opttrainingjob";
    private const long LargestReview = 7 << 20;   // two objects of the API server's limit of 3 MiB, and what is around them
    private readonly WebhookOptions _options;
    private readonly ICertificateSource _source;
    private readonly WebhookMetrics _metrics = new();
    private readonly TimeProvider _clock;
    private readonly ILogger<WebhookServer> _logger;
    private readonly CancellationTokenSource _stopping = new();
    private volatile X509Certificate2? _certificate;
    private WebApplication? _app;
    private Task _renewing = Task.CompletedTask;

    private WebhookServer(WebhookOptions options, ICertificateSource source, TimeProvider clock, ILogger<WebhookServer> logger) => (_options, _source, _clock, _logger) = (options, source, clock, logger);

    /// <summary>The port that is served, known once started.</summary>
    public int Port { get; private set; }

    /// <summary>A certificate is there to be served.</summary>
    public bool IsReady => _certificate is not null;

    /// <summary>Starts serving. A certificate that cannot be had yet is tried again; until then handshakes fail and the API server goes on without us.</summary>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<WebhookServer> StartAsync(WebhookOptions options, KubernetesClient client, TimeProvider clock, ILoggerFactory logs, CancellationToken ct)
    {
        ICertificateSource source = options.Directory is { } folder ? new CertificateFolder(folder) : new CertificateSecret(client, options, clock);
        var server = new WebhookServer(options, source, clock, logs.CreateLogger<WebhookServer>());
        await server.RenewAsync(ct);
        await server.ListenAsync(ct);
        server._renewing = server.KeepRenewingAsync(server._stopping.Token);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _renewing;
        if (_app is not null) await _app.DisposeAsync();
        _certificate?.Dispose();
        _metrics.Dispose();
        _stopping.Dispose();
    }

    private async Task ListenAsync(CancellationToken ct)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestReview;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            if (_options.BindAddress is { } address) kestrel.Listen(address, _options.Port, Secured);
            else kestrel.ListenAnyIP(_options.Port, Secured);
        });
        _app = builder.Build();
        _app.Run(AnswerAsync);
        await _app.StartAsync(ct);
        Port = new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
    }

    private void Secured(ListenOptions listen) => listen.UseHttps(https =>
    {
        https.SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
        https.ServerCertificateSelector = (_, _) => _certificate;
    });

    private async Task KeepRenewingAsync(CancellationToken ct)
    {
        try
        {
            while (true)
            {
                await Task.Delay(_options.Period, _clock, ct);
                await RenewAsync(ct);
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // stopping is not an error
        }
    }

    private async Task RenewAsync(CancellationToken ct)
    {
        try
        {
            if (await _source.RefreshAsync(ct) is not { } renewed) return;
            _certificate = renewed;   // the old one is left to the collector: handshakes may still use it
            _metrics.Serves(renewed.NotAfter);
            Log.Serving(_logger, renewed.NotAfter);
        }
        catch (Exception e) when (e is KubernetesException or IOException or UnauthorizedAccessException)
        {
            Log.NotRenewed(_logger, e.Message);
        }
    }

    private async Task AnswerAsync(HttpContext http)
    {
        Func<AdmissionRequest, AdmissionAnswer>? decide = http.Request.Path.Value switch { MutatePath => JobAdmission.Default, ValidatePath => JobAdmission.Validate, _ => null };
        var webhook = http.Request.Path.Value is MutatePath ? "mutate" : "validate";
        if (decide is null) http.Response.StatusCode = 404;
        else if (http.Request.Method != "POST") http.Response.StatusCode = 405;
        else
        {
            try
            {
                var request = AdmissionRequest.Parse(await BodyAsync(http));
                var answer = decide(request);
                _metrics.Answered(webhook, answer.Faults.Count == 0 ? "allowed" : "refused");
                http.Response.ContentType = "application/json";
                await http.Response.WriteAsync(answer.ToReview(request.Uid, JobAdmission.Name(request.Object) ?? "").ToJsonString(), http.RequestAborted);
            }
            catch (FormatException e)
            {
                _metrics.Answered(webhook, "malformed");
                http.Response.StatusCode = 400;
                await http.Response.WriteAsync(e.Message, http.RequestAborted);
            }
        }
    }

    private static async Task<byte[]> BodyAsync(HttpContext http)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body, http.RequestAborted);
        return body.ToArray();
    }

    private static partial class Log   // 24xx: webhooks
    {
        [LoggerMessage(2401, LogLevel.Information, "Webhooks serve a certificate that is valid until {Until}")]
        public static partial void Serving(ILogger logger, DateTimeOffset until);

        [LoggerMessage(2402, LogLevel.Warning, "The webhooks' certificate could not be renewed and is tried again: {Error}")]
        public static partial void NotRenewed(ILogger logger, string error);
    }
}
