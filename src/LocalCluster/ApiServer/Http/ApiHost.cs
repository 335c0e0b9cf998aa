using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Opt.LocalCluster.ApiServer.Auth;

namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>Kestrel in front of an embedded API server: HTTPS on loopback, HTTP/2 and 1.1, client certificates of our own authority.</summary>
public sealed class ApiHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly CertificateAuthority _authority;

    private ApiHost(WebApplication app, CertificateAuthority authority, Uri address)
    {
        _app = app;
        _authority = authority;
        Address = address;
    }

    public Uri Address { get; }

    /// <summary>A kubeconfig with which kubectl is the cluster's administrator.</summary>
    public string AdminKubeconfig() => ClientKubeconfig("admin", "system:masters");

    /// <summary>A kubeconfig for any user.</summary>
    public string ClientKubeconfig(string user, params IReadOnlyList<string> groups)
    {
        var (certificate, key) = _authority.IssueClient(user, groups);
        return Http.Kubeconfig.Text(Address.ToString().TrimEnd('/'), _authority.Pem, certificate, key);
    }

    /// <summary>Starts serving. <paramref name="port"/> 0 takes any free one.</summary>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<ApiHost> StartAsync(EmbeddedApiServer server, ApiHostOptions options, CancellationToken ct)
    {
        var authority = server.Authority;
        var certificate = authority.IssueServer([options.Address]);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;   // the API's own limit answers with a Status
            kestrel.Limits.MinResponseDataRate = null;  // a watch may be silent for long
            kestrel.Limits.Http2.MaxStreamsPerConnection = 1000;
            kestrel.Listen(new IPEndPoint(options.Address, options.Port), listen =>
            {
                listen.Protocols = HttpProtocols.Http1AndHttp2;
                listen.UseHttps(https =>
                {
                    https.ServerCertificate = certificate;
                    https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                    https.AllowAnyClientCertificate();   // authentication checks it, and answers 401 instead of a TLS alert
                });
            });
        });
        var app = builder.Build();
        Uri? address = null;
        var api = server.CreateHttpApi(options, () => address!.Authority);
        app.Run(api.HandleAsync);
        await app.StartAsync(ct);
        address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return new ApiHost(app, authority, address);
    }

    public async ValueTask DisposeAsync()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(2));   // open watches do not end by themselves
        await _app.StopAsync(deadline.Token);
        await _app.DisposeAsync();
    }
}

/// <summary>Where and for whom to serve HTTPS.</summary>
public sealed record ApiHostOptions
{
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>0 takes any free port.</summary>
    public int Port { get; init; }

    /// <summary>Where the log subresource reads.</summary>
    public IPodLogs? Logs { get; init; }

    /// <summary>Role-based access control; off, every authenticated user may do everything. <see cref="Cluster"/> hands it to the server.</summary>
    public bool Rbac { get; init; }

    public ILoggerFactory Loggers { get; init; } = NullLoggerFactory.Instance;

    /// <summary>Bearer tokens fixed at start.</summary>
    public IReadOnlyDictionary<string, UserInfo> Tokens { get; init; } = new Dictionary<string, UserInfo>();
}
