using System.Net;

namespace Opt.Operator.Hosting;

/// <summary>How the operator runs, as the command line says.</summary>
public sealed record OperatorOptions
{
    /// <summary>Null: in-cluster credentials if there are any, else the default kubeconfig.</summary>
    public string? KubeConfig { get; init; }

    /// <summary>Null for all namespaces.</summary>
    public string? Namespace { get; init; }

    /// <summary>Numbers in the status are written at most this often; transitions at once.</summary>
    public TimeSpan StatusInterval { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Port of /healthz and /readyz; 0 for none.</summary>
    public int HealthPort { get; init; }

    /// <summary>Port of /metrics; 0 for none.</summary>
    public int MetricsPort { get; init; }

    /// <summary>The address that both ports listen on; null for every one. Operators that share a machine need one each.</summary>
    public IPAddress? BindAddress { get; init; }

    public bool LeaderElect { get; init; }

    /// <summary>Namespace of the lease; null for that of the pod, or of the kubeconfig.</summary>
    public string? LeaderElectionNamespace { get; init; }

    public string LeaderElectionId { get; init; } = "opt-operator";

    /// <summary>Jobs worked on at the same time.</summary>
    public int Workers { get; init; } = 4;

    /// <summary>Bounds the nodes that all jobs together may put aside.</summary>
    public Planning.QuarantineBreaker Breaker { get; init; } = new();

    /// <summary>The port agents listen on.</summary>
    public int AgentPort { get; init; } = Rendering.Names.AgentPort;

    /// <summary>Port of the admission webhooks; 0 for none.</summary>
    public int WebhookPort { get; init; }

    /// <summary>DNS names and IP addresses under which the API server calls the webhooks.</summary>
    public IReadOnlyList<string> WebhookNames { get; init; } = [];

    /// <summary>Name of the Secret that keeps the webhooks' certificates, in the operator's namespace.</summary>
    public string WebhookSecret { get; init; } = "opt-operator-webhooks";

    /// <summary>Name of the webhook configurations that get our authorities as caBundle.</summary>
    public string? WebhookConfiguration { get; init; }

    /// <summary>A folder whose tls.crt and tls.key are served instead of certificates of our own.</summary>
    public string? WebhookCertificates { get; init; }

    /// <summary>Port of the dashboard; 0 for none.</summary>
    public int DashboardPort { get; init; }
}
