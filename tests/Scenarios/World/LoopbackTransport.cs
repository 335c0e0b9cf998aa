using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Http;

namespace Opt.Scenarios.World;

/// <summary>Carries requests to the API server over loopback sockets: TLS and HTTP/2, as in production, though time is virtual.</summary>
internal sealed class LoopbackTransport : ClusterLink
{
    private readonly WebApplication _app;
    private readonly HttpMessageInvoker _http;
    private readonly ConcurrentDictionary<ConnectionContext, byte> _connections;
    private volatile Wire _wire = new();

    private LoopbackTransport(WebApplication app, EmbeddedApiServer server, ConcurrentDictionary<ConnectionContext, byte> connections)
    {
        (_app, _connections) = (app, connections);
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPem(server.Authority.Pem);
        _http = new(new SocketsHttpHandler
        {
            ConnectCallback = async (context, ct) => await _wire.ConnectAsync(() => ConnectAsync(context.DnsEndPoint, ct)),
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,   // it would count real time
            SslOptions = new() { CertificateChainPolicy = trust },
        });
    }

    public override Uri Host => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    public override bool IsQuiet => _wire.IsEmpty;

    public static async Task<ClusterLink> StartAsync(EmbeddedApiServer server, ApiHostOptions options, CancellationToken ct)
    {
        LoopbackTransport? link = null;
        var connections = new ConcurrentDictionary<ConnectionContext, byte>();
        var certificate = server.Authority.IssueServer([IPAddress.Loopback]);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http1AndHttp2;
            listen.Use(next => connection => link!.ServeAsync(connection, next));
            listen.UseHttps(certificate);
        }));
        var app = builder.Build();
        var api = server.CreateHttpApi(options, () => link!.Host.Authority);
        app.Run(api.HandleAsync);
        await app.StartAsync(ct);
        return link = new LoopbackTransport(app, server, connections);
    }

    public override void Cut()
    {
        IsCut = true;
        _wire = new();   // what the broken connections still held is lost
        foreach (var connection in _connections.Keys) connection.Abort();
    }

    public override void Mend() => IsCut = false;

    public override async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        await base.DisposeAsync();
    }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        return _http.SendAsync(request, cancellationToken);
    }

    private async Task<Stream> ConnectAsync(DnsEndPoint to, CancellationToken ct)
    {
        if (IsCut) throw new HttpRequestException("the network is cut");
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(to, ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        _connections[connection] = 0;
        connection.Transport = _wire.Serve(connection.Transport);
        try
        {
            await next(connection);
        }
        finally
        {
            _connections.TryRemove(connection, out _);
        }
    }
}
