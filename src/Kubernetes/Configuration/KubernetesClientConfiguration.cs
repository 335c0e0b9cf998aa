using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Opt.Kubernetes;

/// <summary>Where the API server is and how to prove who we are: from a kubeconfig file, from inside a pod, or by hand.</summary>
public sealed record KubernetesClientConfiguration
{
    /// <summary>Names the folder of the pod's service account where it cannot be at <c>/var/run/secrets/kubernetes.io/serviceaccount</c>: in pods without a file system of their own.</summary>
    public const string ServiceAccountFolderVariable = "KUBERNETES_SERVICE_ACCOUNT_FOLDER";

    private const string UsualServiceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

    public required Uri Host { get; init; }

    public string Namespace { get; init; } = "default";

    /// <summary>Trusted instead of the machine's certificate authorities; empty trusts those of the machine.</summary>
    public IReadOnlyList<X509Certificate2> CertificateAuthorities { get; init; } = [];

    /// <summary>Accept any server certificate. For tests.</summary>
    public bool SkipTlsVerify { get; init; }

    /// <summary>The name the server's certificate must carry, if not the host's.</summary>
    public string? TlsServerName { get; init; }

    /// <summary>Presented to the server, with its private key.</summary>
    public X509Certificate2? ClientCertificate { get; init; }

    /// <summary>Where <see cref="ClientCertificate"/> came from, if from a file that may be renewed; read again as <see cref="ClientKeyFile"/> is.</summary>
    public string? ClientCertificateFile { get; init; }

    public string? ClientKeyFile { get; init; }

    public string? AccessToken { get; init; }

    /// <summary>A file that holds the token and may be rewritten at any time. Wins over <see cref="AccessToken"/>.</summary>
    public string? TokenFile { get; init; }

    public string? Username { get; init; }

    public string? Password { get; init; }

    /// <summary>A program that prints an <c>ExecCredential</c>. Used if there is no token.</summary>
    public ExecPlugin? Exec { get; init; }

    /// <summary>An HTTP or SOCKS5 proxy. Without one, the usual environment variables count.</summary>
    public Uri? Proxy { get; init; }

    /// <summary>
    /// What kubectl would use: the given file, else those of <c>KUBECONFIG</c>, else the pod's service account if we run in one,
    /// else <c>~/.kube/config</c>.
    /// </summary>
    /// <exception cref="KubeConfigException">The configuration is missing or wrong; the message names file, field and value.</exception>
    public static KubernetesClientConfiguration BuildDefaultConfig(string? kubeconfigPath = null, string? context = null)
    {
        if (kubeconfigPath is not null) return BuildConfigFromConfigFile([kubeconfigPath], context);
        if (Environment.GetEnvironmentVariable("KUBECONFIG") is { Length: > 0 } list)
            return BuildConfigFromConfigFile(list.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries), context);
        return IsInCluster() ? InClusterConfig() : BuildConfigFromConfigFile([HomeConfig()], context);
    }

    /// <summary>Reads kubeconfig files; where several name the same thing, the first wins. Files that do not exist are skipped unless all are missing.</summary>
    /// <exception cref="KubeConfigException">As <see cref="BuildDefaultConfig"/>.</exception>
    public static KubernetesClientConfiguration BuildConfigFromConfigFile(IReadOnlyList<string> paths, string? context = null) =>
        KubeConfig.Load(paths).Resolve(context);

    /// <summary>True inside a pod with a service account.</summary>
    public static bool IsInCluster() =>
        Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_HOST") is { Length: > 0 } && File.Exists(Path.Combine(ServiceAccountFolder, "token"));

    /// <summary>The pod's own service account. The token file is read again as the kubelet rotates it.</summary>
    /// <exception cref="KubeConfigException">This is not a pod, or its service account is not mounted.</exception>
    public static KubernetesClientConfiguration InClusterConfig() => InClusterConfig(
        Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_HOST"), Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_PORT"), ServiceAccountFolder);

    internal static KubernetesClientConfiguration InClusterConfig(string? host, string? port, string folder)
    {
        if (string.IsNullOrEmpty(host) || string.IsNullOrEmpty(port)) throw new KubeConfigException("Not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must both be set.");
        var (token, authority, @namespace) = (Path.Combine(folder, "token"), Path.Combine(folder, "ca.crt"), Path.Combine(folder, "namespace"));
        if (!File.Exists(token)) throw new KubeConfigException($"Not in a cluster: there is no service account token at {token}.");
        return new()
        {
            Host = new Uri($"https://{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}"),
            TokenFile = token,
            CertificateAuthorities = Pem.Certificates(File.ReadAllText(authority), authority),
            Namespace = File.Exists(@namespace) ? File.ReadAllText(@namespace).Trim() : "default",
        };
    }

    public override string ToString() => $"Kubernetes API server {Host}";   // credentials stay out of logs

    internal ICredentialSource CreateCredentialSource(TimeProvider clock)
    {
        var source = CreateWithFixedCertificate(clock);
        return ClientCertificateFile is null || ClientKeyFile is null ? source : new CertificateFiles(source, this, clock);
    }

    private ICredentialSource CreateWithFixedCertificate(TimeProvider clock)
    {
        if (TokenFile is not null) return new TokenFileCredential(TokenFile, ClientCertificate, clock);
        if (AccessToken is not null) return new StaticCredential(Credential.Bearer(AccessToken, ClientCertificate));
        if (Exec is not null) return new ExecCredential(Exec, this, clock);
        if (Username is null) return new StaticCredential(new(Certificate: ClientCertificate));
        var basic = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Username}:{Password}"));
        return new StaticCredential(new(new AuthenticationHeaderValue("Basic", basic), ClientCertificate));
    }

    private static string ServiceAccountFolder =>
        Environment.GetEnvironmentVariable(ServiceAccountFolderVariable) is { Length: > 0 } named ? named : UsualServiceAccountFolder;

    private static string HomeConfig() => Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".kube", "config");
}
