using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using Opt.Api;
using Opt.Operator.Hosting;

namespace Opt.Operator.Cli;

/// <summary>The whole command line. <c>run</c> is the operator, <c>crds</c> prints the definitions this build was made with, <c>check</c> looks at an installation.</summary>
internal static class Root
{
    public static RootCommand Create()
    {
        var kubeConfig = new Option<string?>("--kubeconfig") { Description = "kubeconfig file; without it in-cluster credentials, else $KUBECONFIG or ~/.kube/config" };
        var scope = new Option<string?>("--namespace") { Description = "act on jobs of this namespace only; without it, of all" };
        var statusInterval = new Option<TimeSpan>("--status-interval") { Description = "write numbers in status at most this often (e.g. 5s); transitions are written at once", DefaultValueFactory = _ => TimeSpan.FromSeconds(15), CustomParser = Duration };
        var healthPort = new Option<int>("--health-port") { Description = "port of /healthz and /readyz; 0 for none" };
        var metricsPort = new Option<int>("--metrics-port") { Description = "port of /metrics; 0 for none" };
        var bindAddress = new Option<IPAddress?>("--bind-address") { Description = "address that all ports listen on; without it, every one", CustomParser = Address };
        var leaderElect = new Option<bool>("--leader-elect") { Description = "act only while holding a lease, so that several replicas can run" };
        var leaderNamespace = new Option<string?>("--leader-election-namespace") { Description = "namespace of the lease; without it, the pod's own" };
        var leaderId = new Option<string>("--leader-election-id") { Description = "name of the lease", DefaultValueFactory = _ => "opt-operator" };
        var webhookPort = new Option<int>("--webhook-port") { Description = "port of the admission webhooks (TLS); 0 for none" };
        var webhookNames = new Option<string[]>("--webhook-names") { Description = "names or addresses under which the API server calls the webhooks", AllowMultipleArgumentsPerToken = true };
        var webhookSecret = new Option<string>("--webhook-secret") { Description = "Secret for the webhooks' certificates, in the operator's namespace", DefaultValueFactory = _ => "opt-operator-webhooks" };
        var webhookConfiguration = new Option<string?>("--webhook-configuration") { Description = "name of the webhook configurations whose caBundle to keep" };
        var webhookCertificates = new Option<string?>("--webhook-certificates") { Description = "folder of tls.crt and tls.key that somebody else renews; without it, the operator makes and rotates them" };
        var quarantineNodes = new Option<int?>("--quarantine-limit") { Description = "never put aside more nodes of the cluster at a time, over all jobs" };
        var quarantinePercent = new Option<double>("--quarantine-limit-percent") { Description = "nor more than this percent of them; the first three are always allowed", DefaultValueFactory = _ => 20 };
        var dashboardPort = new Option<int>("--dashboard-port") { Description = "port of the dashboard, a read-only page; 0 for none" };
        foreach (var port in new[] { healthPort, metricsPort, webhookPort, dashboardPort }) port.Validators.Add(Port);

        var run = new Command("run", "Reconcile OptTrainingJobs until stopped.") { kubeConfig, scope, statusInterval, healthPort, metricsPort, bindAddress, leaderElect, leaderNamespace, leaderId, webhookPort, webhookNames, webhookSecret, webhookConfiguration, webhookCertificates, dashboardPort, quarantineNodes, quarantinePercent };
        run.SetAction((parsed, ct) => RunCommand.ExecuteAsync(new()
        {
            KubeConfig = parsed.GetValue(kubeConfig),
            Namespace = parsed.GetValue(scope),
            StatusInterval = parsed.GetValue(statusInterval),
            HealthPort = parsed.GetValue(healthPort),
            MetricsPort = parsed.GetValue(metricsPort),
            BindAddress = parsed.GetValue(bindAddress),
            LeaderElect = parsed.GetValue(leaderElect),
            LeaderElectionNamespace = parsed.GetValue(leaderNamespace),
            LeaderElectionId = parsed.GetValue(leaderId)!,
            DashboardPort = parsed.GetValue(dashboardPort),
            WebhookPort = parsed.GetValue(webhookPort),
            WebhookNames = parsed.GetValue(webhookNames) ?? [],
            WebhookSecret = parsed.GetValue(webhookSecret)!,
            WebhookConfiguration = parsed.GetValue(webhookConfiguration),
            WebhookCertificates = parsed.GetValue(webhookCertificates),
            Breaker = new(parsed.GetValue(quarantineNodes), parsed.GetValue(quarantinePercent)),
        }, ct));

        var crds = new Command("crds", "Print the CustomResourceDefinitions.");
        crds.SetAction(_ => Console.Out.Write(CrdCommand.Text()));

        var checkedNamespace = new Option<string>("--namespace") { Description = "namespace of the operator and its lease", Required = true };
        var checkWebhooks = new Option<bool>("--webhooks") { Description = "also see that the webhook refuses a bad job (a dry run: nothing is made)" };
        var check = new Command("check", "Say whether an installation works: definitions, a leader, the webhook.") { kubeConfig, checkedNamespace, leaderId, checkWebhooks };
        check.SetAction((parsed, ct) => CheckCommand.ExecuteAsync(new(parsed.GetValue(kubeConfig), parsed.GetValue(checkedNamespace)!, parsed.GetValue(leaderId)!, parsed.GetValue(checkWebhooks)), Console.Out, Console.Error, ct));
        return new("Trains OPT language models on Kubernetes, unattended.") { run, crds, check };
    }

    private static TimeSpan Duration(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (DurationConverter.TryParse(text, out var value) && value >= TimeSpan.FromSeconds(1)) return value;
        result.AddError($"--status-interval: \"{text}\" is not allowed; a duration of at least 1s such as 15s");
        return default;
    }

    private static IPAddress? Address(ArgumentResult result)
    {
        if (IPAddress.TryParse(result.Tokens[0].Value, out var address)) return address;
        result.AddError($"--bind-address: \"{result.Tokens[0].Value}\" is not an IP address");
        return null;
    }

    private static void Port(OptionResult result)
    {
        if (result.GetValueOrDefault<int>() is < 0 or > 65535) result.AddError($"{result.Option.Name}: {result.GetValueOrDefault<int>()} is not allowed; 0 to 65535");
    }
}
