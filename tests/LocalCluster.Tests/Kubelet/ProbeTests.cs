using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Tests.Kubelet;

/// <summary>Probes and hooks over the network; the test plays the server inside the pod, on the pod's own address.</summary>
public sealed class ProbeTests
{
    private const int Port = 18080;

    [Fact]
    public async Task An_http_probe_asks_the_pods_own_address_by_the_ports_name_and_believes_the_status()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "sleep 1000", $$$"""
            {"ports":[{"name":"web","containerPort":{{{Port}}}}],"readinessProbe":{"httpGet":{"path":"/ready","port":"web","httpHeaders":[{"name":"X-Probe","value":"yes"}]},"periodSeconds":1,"failureThreshold":1}}
            """);
        var pod = await test.UntilAsync("p", p => p.Phase == "Running", "running");
        await ProcessCluster.EventuallyAsync(async () => (await test.EventsAsync("p")).Any(e => e.Contains("connect: connection refused", StringComparison.Ordinal)), () => "nobody listens yet");
        Assert.Contains(await test.EventsAsync("p"), e => e == $"Unhealthy: Readiness probe failed: Get \"http://{pod.PodIp}:{Port}/ready\": dial tcp {pod.PodIp}:{Port}: connect: connection refused");

        await using var server = new TinyServer(pod.PodIp, Port);
        var answered = await test.UntilRunningAsync("p");
        Assert.Contains("GET /ready HTTP/1.1", server.LastRequest, StringComparison.Ordinal);
        Assert.Contains("X-Probe: yes", server.LastRequest, StringComparison.Ordinal);
        Assert.Contains("User-Agent: kube-probe/", server.LastRequest, StringComparison.Ordinal);

        server.Status = 503;
        await test.UntilAsync("p", p => !p.IsPodReady, "not ready again");
        Assert.Contains("Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503", await test.EventsAsync("p"));
        Assert.Equal(0, ProcessCluster.Container(answered).Number("restartCount"));
    }

    [Fact]
    public async Task A_tcp_liveness_probe_restarts_a_container_whose_port_closes()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "sleep 1000", $$$"""
            {"startupProbe":{"tcpSocket":{"port":{{{Port}}}},"periodSeconds":1,"failureThreshold":60},"livenessProbe":{"tcpSocket":{"port":{{{Port}}}},"periodSeconds":1,"failureThreshold":1}}
            """, """{"terminationGracePeriodSeconds":0}""");
        var pod = await test.UntilAsync("p", p => p.Phase == "Running", "running");
        Assert.False(pod.IsPodReady);
        await using (new TinyServer(pod.PodIp, Port)) await test.UntilRunningAsync("p");

        var restarted = await test.UntilAsync("p", p => ProcessCluster.Container(p).Number("restartCount") >= 1, "restarted");

        Assert.Equal(137, ProcessCluster.Container(restarted).Number("lastState", "terminated", "exitCode"));
        Assert.Contains(await test.EventsAsync("p"), e => e.StartsWith($"Unhealthy: Liveness probe failed: dial tcp {pod.PodIp}:{Port}: connect:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_container_that_never_starts_up_is_restarted_by_its_startup_probe()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "sleep 1000", """{"startupProbe":{"exec":{"command":["false"]},"periodSeconds":1,"failureThreshold":1}}""", """{"terminationGracePeriodSeconds":0}""");

        await test.UntilAsync("p", p => ProcessCluster.Container(p).Number("restartCount") >= 1, "restarted");

        Assert.Contains("Killing: Container c failed startup probe, will be restarted", await test.EventsAsync("p"));
    }

    [Fact]
    public async Task Hooks_run_after_the_start_and_before_the_end_over_http_too_and_a_failed_start_hook_kills()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "trap 'exit 0' TERM; while true; do sleep 0.05; done", $$$"""
            {"lifecycle":{"postStart":{"exec":{"command":["/bin/sh","-c","echo > {{{test.Data}}}/started"]} },"preStop":{"httpGet":{"path":"/stop","port":{{{Port}}}}} } }
            """);
        var pod = await test.UntilRunningAsync("p");
        await ProcessCluster.EventuallyAsync(() => Task.FromResult(File.Exists(Path.Combine(test.Data, "started"))), () => "the hook after the start");
        await using var server = new TinyServer(pod.PodIp, Port);
        await test.DeleteAsync("p");
        await test.UntilGoneAsync("p");
        Assert.Contains("GET /stop", server.LastRequest, StringComparison.Ordinal);

        await test.RunAsync("bad", "sleep 1000", """{"lifecycle":{"postStart":{"exec":{"command":["false"]} } } }""", """{"restartPolicy":"Never"}""");
        var dead = await test.UntilAsync("bad", p => p.IsFinished, "killed");
        Assert.Equal(137, ProcessCluster.Container(dead).Number("state", "terminated", "exitCode"));
        Assert.Contains(await test.EventsAsync("bad"), e => e.StartsWith("FailedPostStartHook: ", StringComparison.Ordinal));
    }

    /// <summary>Answers every request with one status and remembers what the last one said.</summary>
    private sealed class TinyServer : IAsyncDisposable
    {
        private readonly TcpListener _listener;
        private readonly Task _serving;

        public TinyServer(string address, int port)
        {
            _listener = new TcpListener(IPAddress.Parse(address), port);
            _listener.Start();
            _serving = ServeAsync();
        }

        public int Status { get; set; } = 200;

        public string LastRequest { get; private set; } = "";

        public async ValueTask DisposeAsync()
        {
            _listener.Stop();
            await _serving;
        }

        private async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    using var peer = await _listener.AcceptTcpClientAsync();
                    await AnswerAsync(peer.GetStream());
                }
            }
            catch (Exception e) when (e is SocketException or InvalidOperationException)
            {
                // the listener was stopped, in the middle of waiting or just before
            }
        }

        private async Task AnswerAsync(NetworkStream stream)
        {
            try
            {
                await ReadAndAnswerAsync(stream);
            }
            catch (IOException)
            {
                // a prober that has seen enough resets the connection
            }
        }

        private async Task ReadAndAnswerAsync(NetworkStream stream)
        {
            var buffer = new byte[4096];
            var read = await stream.ReadAsync(buffer);
            if (read == 0) return;   // a tcp probe only connects
            LastRequest = Encoding.ASCII.GetString(buffer, 0, read);
            await stream.WriteAsync(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 {Status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")));
        }
    }
}
