using Opt.Kubernetes;

namespace Opt.Operator.Webhooks;

/// <summary>How the operator serves admission webhooks.</summary>
internal sealed record WebhookOptions
{
    /// <summary>TCP port; 0 takes a free one.</summary>
    public required int Port { get; init; }

    /// <summary>Null for every address of the machine.</summary>
    public System.Net.IPAddress? BindAddress { get; init; }

    /// <summary>DNS names and IP addresses under which the API server calls, the first being the certificate's own.</summary>
    public required IReadOnlyList<string> Names { get; init; }

    /// <summary>Where the operator keeps the certificates it makes; null when they come from <see cref="Directory"/>.</summary>
    public ObjectKey? Secret { get; init; }

    /// <summary>The mutating and the validating configuration of this name get our authorities as caBundle; null leaves them alone.</summary>
    public string? Configuration { get; init; }

    /// <summary>A folder with tls.crt and tls.key that somebody else (cert-manager) renews; null to make them.</summary>
    public string? Directory { get; init; }

    public CertificateOptions Certificates { get; init; } = new();

    /// <summary>Time between looks at the Secret or the folder.</summary>
    public TimeSpan Period { get; init; } = TimeSpan.FromMinutes(1);
}
