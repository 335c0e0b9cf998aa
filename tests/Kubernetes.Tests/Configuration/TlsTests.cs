using System.Net;
using System.Net.Sockets;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.ApiServer.Http;
using Xunit;

namespace Opt.Kubernetes.Tests;

/// <summary>Connections to a real HTTPS API server.</summary>
public sealed class TlsTests
{
    [Fact]
    public async Task A_kubeconfig_with_inline_certificates_is_all_that_is_needed()
    {
        await using var cluster = await Cluster.StartAsync();
        using var client = new KubernetesClient(cluster.Configuration());
        Assert.StartsWith("v1.", await client.GetVersionAsync(default), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_of_another_authority_is_not_trusted_unless_that_is_asked_for()
    {
        await using var cluster = await Cluster.StartAsync();
        using var stranger = CertificateAuthority.Create(TimeProvider.System);
        var wrong = cluster.Configuration() with { CertificateAuthorities = Pem.Certificates(stranger.Pem, "test") };
        using (var client = new KubernetesClient(wrong, new() { MaxAttempts = 1 }))
        {
            var refused = await Assert.ThrowsAsync<KubernetesException>(() => client.GetVersionAsync(default));
            Assert.Equal(KubernetesException.NoAnswer, refused.Reason);
        }

        using var careless = new KubernetesClient(wrong with { SkipTlsVerify = true });
        Assert.StartsWith("v1.", await careless.GetVersionAsync(default), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_servers_name_is_checked_and_can_be_overridden()
    {
        await using var cluster = await Cluster.StartAsync();
        var byName = cluster.Configuration() with { TlsServerName = "wrong.example" };
        using (var client = new KubernetesClient(byName, new() { MaxAttempts = 1 })) await Assert.ThrowsAsync<KubernetesException>(() => client.GetVersionAsync(default));
        using var right = new KubernetesClient(byName with { TlsServerName = "localhost" });
        Assert.StartsWith("v1.", await right.GetVersionAsync(default), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_certificate_from_an_exec_plugin_authenticates()
    {
        await using var cluster = await Cluster.StartAsync();
        using var folder = new TempFolder();
        var (certificate, key) = cluster.Server.Authority.IssueClient("plugin-user", ["system:masters"]);
        var answer = new System.Text.Json.Nodes.JsonObject
        {
            ["apiVersion"] = "client.authentication.k8s.io/v1",
            ["status"] = new System.Text.Json.Nodes.JsonObject { ["clientCertificateData"] = certificate, ["clientKeyData"] = key },
        };
        folder.Write("answer", answer.ToJsonString());
        var exec = new ExecPlugin("client.authentication.k8s.io/v1", "cat", [folder.PathOf("answer")], new Dictionary<string, string>());
        using var client = new KubernetesClient(cluster.Configuration() with { ClientCertificate = null, Exec = exec });

        var list = await client.Resource(Resources.Namespaces).ListAsync(null, null, default);

        Assert.Contains(list.Items, n => n.Metadata.Name == "default");
    }

    [Fact]
    public async Task A_token_authenticates_where_there_is_no_certificate()
    {
        await using var cluster = await Cluster.StartAsync(new() { Tokens = new Dictionary<string, UserInfo> { ["secret"] = new("me", ["system:masters"]) } });
        using var client = new KubernetesClient(cluster.Configuration() with { ClientCertificate = null, AccessToken = "secret" });
        Assert.NotEmpty((await client.Resource(Resources.Namespaces).ListAsync(null, null, default)).Items);
    }

    [Fact]
    public async Task Requests_go_through_the_proxy_of_the_kubeconfig()
    {
        await using var cluster = await Cluster.StartAsync();
        using var proxy = new ConnectProxy();
        using var client = new KubernetesClient(cluster.Configuration() with { Proxy = proxy.Address });
        Assert.StartsWith("v1.", await client.GetVersionAsync(default), StringComparison.Ordinal);
        Assert.Equal([cluster.Host.Address.Authority], proxy.Targets);
    }

    [Fact]
    public async Task Many_requests_at_once_share_one_connection()
    {
        await using var cluster = await Cluster.StartAsync();
        using var proxy = new ConnectProxy();
        using var client = new KubernetesClient(cluster.Configuration() with { Proxy = proxy.Address });
        await client.GetVersionAsync(default);
        await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => client.GetVersionAsync(default)));
        Assert.Single(proxy.Targets);   // HTTP/2
    }

    [Fact]
    public async Task A_connection_that_went_silent_is_replaced_before_a_lease_would_be_lost()
    {
        await using var cluster = await Cluster.StartAsync();
        using var proxy = new ConnectProxy();
        using var client = new KubernetesClient(cluster.Configuration() with { Proxy = proxy.Address }, new() { AttemptTimeout = TimeSpan.FromSeconds(2), RetryDelay = TimeSpan.FromMilliseconds(100) });
        await client.GetVersionAsync(default);

        proxy.Freeze();
        var frozen = TimeProvider.System.GetTimestamp();
        await client.GetVersionAsync(default);   // its first attempts run into the silence

        Assert.InRange(proxy.Targets.Count, 2, 4);   // a slow machine may need more than one new connection
        Assert.InRange(TimeProvider.System.GetElapsedTime(frozen).TotalSeconds, 0, 15);   // the default lease lasts as long
    }

    /// <summary>An HTTP proxy that tunnels, and remembers where to.</summary>
    private sealed class ConnectProxy : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly List<string> _targets = [];
        private readonly CancellationTokenSource _stop = new();
        private volatile int _frozenUpTo;

        public ConnectProxy()
        {
            _listener.Start();
            _ = AcceptAsync();
        }

        public Uri Address => new($"http://{_listener.LocalEndpoint}");

        public IReadOnlyList<string> Targets
        {
            get { lock (_targets) return [.. _targets]; }
        }

        /// <summary>What passes through the tunnels that are open now disappears, without any of the two sides being told.</summary>
        public void Freeze() => _frozenUpTo = Targets.Count;

        public void Dispose()
        {
            _stop.Cancel();
            _listener.Dispose();
            _stop.Dispose();
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true) _ = TunnelAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                // disposed
            }
        }

        private async Task TunnelAsync(TcpClient client)
        {
            using (client)
            {
                var stream = client.GetStream();
                var head = "";
                var one = new byte[1];
                while (!head.EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one, _stop.Token) == 1) head += (char)one[0];
                var target = head.Split(' ')[1];
                int number;
                lock (_targets)
                {
                    _targets.Add(target);
                    number = _targets.Count;
                }

                using var server = new TcpClient();
                await server.ConnectAsync(IPEndPoint.Parse(target), _stop.Token);
                await stream.WriteAsync("HTTP/1.1 200 OK\r\n\r\n"u8.ToArray(), _stop.Token);
                await Task.WhenAny(PassAsync(number, stream, server.GetStream()), PassAsync(number, server.GetStream(), stream));
            }
        }

        private async Task PassAsync(int number, NetworkStream from, NetworkStream to)
        {
            var buffer = new byte[16 << 10];
            while (await from.ReadAsync(buffer, _stop.Token) is > 0 and var count)
            {
                if (number > _frozenUpTo) await to.WriteAsync(buffer.AsMemory(0, count), _stop.Token);
            }
        }
    }
}
