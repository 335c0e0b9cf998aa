using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Opt.Kubernetes;
using Opt.Operator.Agents;
using Opt.Operator.Dashboard;
using Opt.Operator.Dashboard.Access;
using Opt.Operator.Dashboard.Curves;
using Opt.Operator.Rendering;
using Opt.Operator.Webhooks;

namespace Opt.Operator.Hosting;

/// <summary><c>opt-operator run</c>: until SIGINT or SIGTERM.</summary>
internal static partial class RunCommand
{
    public static async Task<int> ExecuteAsync(OperatorOptions options, CancellationToken ct)
    {
        await using var services = new ServiceCollection()
            .AddLogging(l => l.AddSimpleConsole(c => (c.SingleLine, c.TimestampFormat, c.IncludeScopes, c.UseUtcTimestamp) = (true, "yyyy-MM-ddTHH:mm:ss.fffZ ", true, true)).SetMinimumLevel(LogLevel.Information))
            .AddMetrics().BuildServiceProvider();
        var logs = services.GetRequiredService<ILoggerFactory>();
        var logger = logs.CreateLogger("Opt.Operator");
        try
        {
            await ServeAsync(options, logs, services.GetRequiredService<IMeterFactory>(), logger, ct);
            return 0;
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            return 0;
        }
        catch (Exception e) when (e is KubeConfigException or KubernetesException or IOException)
        {
            Log.Failed(logger, e.Message);
            return 1;
        }
    }

    private static async Task ServeAsync(OperatorOptions options, ILoggerFactory logs, IMeterFactory meters, ILogger logger, CancellationToken ct)
    {
        var clock = TimeProvider.System;
        var configuration = KubernetesClientConfiguration.BuildDefaultConfig(options.KubeConfig);
        var clientOptions = new KubernetesClientOptions { FieldManager = Names.FieldManager, UserAgent = "opt-operator/0.1" };
        using var exporter = new PrometheusExporter("Opt.");
        var metrics = new ClientMetrics(meters);
        using var client = new KubernetesClient(configuration, clientOptions, clock, logs.CreateLogger<KubernetesClient>(), metrics);
        using var agents = AgentClient.Create(clock);
        var version = await client.GetVersionAsync(ct);
        var nodes = await NodeAccess.IsAllowedAsync(client, ct);
        Log.Connected(logger, configuration.Host, version, nodes);
        await using var runtime = new OperatorRuntime(options, client, agents, nodes, clock, logs, new ControllerMetrics(meters));
        await using var webhooks = await WebhooksAsync(options, client, clock, logs, ct);
        await using var endpoints = await Endpoints.StartAsync(options, () => runtime.IsReady && webhooks is not { IsReady: false }, exporter, ct);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var access = new ApiServerAccess(configuration, clock);
        var collector = new CurveCollector(runtime.Informers, client, agents, options.AgentPort, clock);
        await using var dashboard = options.DashboardPort == 0 ? null : await DashboardServer.StartAsync(options.BindAddress, options.DashboardPort, new ClusterData(runtime.Informers, collector), access, clock, ct);
        var following = Task.WhenAll(runtime.FollowAsync(stopping.Token), dashboard is null ? Task.CompletedTask : collector.RunAsync(stopping.Token));
        try
        {
            await LeadAsync(options, configuration, clientOptions, runtime, client.Namespace, clock, logs, metrics, ct);
        }
        finally
        {
            await stopping.CancelAsync();
            await following;
        }
    }

    /// <summary>Null when none are asked for. Every replica serves them, leading or not.</summary>
    private static async Task<WebhookServer?> WebhooksAsync(OperatorOptions options, KubernetesClient client, TimeProvider clock, ILoggerFactory logs, CancellationToken ct) => options.WebhookPort == 0 ? null : await WebhookServer.StartAsync(
        new()
        {
            Port = options.WebhookPort,
            BindAddress = options.BindAddress,
            Names = options.WebhookNames is { Count: > 0 } names ? names : ["localhost", "127.0.0.1"],
            Secret = new(Environment.GetEnvironmentVariable("POD_NAMESPACE") ?? client.Namespace, options.WebhookSecret),
            Configuration = options.WebhookConfiguration,
            Directory = options.WebhookCertificates,
        },
        client, clock, logs, ct);

    private static async Task LeadAsync(OperatorOptions options, KubernetesClientConfiguration configuration, KubernetesClientOptions clientOptions, OperatorRuntime runtime, string @namespace, TimeProvider clock, ILoggerFactory logs, ClientMetrics metrics, CancellationToken ct)
    {
        if (!options.LeaderElect)
        {
            await runtime.LeadAsync(ct);
            return;
        }

        // A client of its own: a burst of other writes must not delay a renewal.
        using var leases = new KubernetesClient(configuration, clientOptions, clock, logs.CreateLogger<KubernetesClient>(), metrics);
        var identity = $"{Environment.GetEnvironmentVariable("POD_NAME") ?? Environment.MachineName}-{Guid.NewGuid():N}"[..Math.Min(60, (Environment.GetEnvironmentVariable("POD_NAME") ?? Environment.MachineName).Length + 9)];
        var elector = new LeaderElector(leases.Resource(Resources.Leases), new() { Lease = new(options.LeaderElectionNamespace ?? Environment.GetEnvironmentVariable("POD_NAMESPACE") ?? @namespace, options.LeaderElectionId), Identity = identity }, clock, logs.CreateLogger<LeaderElector>());
        await elector.RunAsync(runtime.LeadAsync, ct);
    }

    private static partial class Log   // 23xx: hosting
    {
        [LoggerMessage(2301, LogLevel.Information, "Connected to {Host} ({Version}); may act on nodes: {Nodes}")]
        public static partial void Connected(ILogger logger, Uri host, string version, bool nodes);

        [LoggerMessage(2302, LogLevel.Critical, "{Error}")]
        public static partial void Failed(ILogger logger, string error);
    }
}
