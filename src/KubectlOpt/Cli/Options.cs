using System.CommandLine;
using Opt.Kubernetes;
using Opt.KubectlOpt.Cluster;

namespace Opt.KubectlOpt.Cli;

/// <summary>Options that every command has, named as kubectl names them.</summary>
internal static class Options
{
    public static readonly Option<string?> Namespace = new("--namespace", "-n") { Description = "namespace of the job; without it, the context's", Recursive = true };
    public static readonly Option<string?> Kubeconfig = new("--kubeconfig") { Description = "kubeconfig file; without it $KUBECONFIG or ~/.kube/config", Recursive = true };
    public static readonly Option<string?> Context = new("--context") { Description = "context of the kubeconfig", Recursive = true };
    public static readonly Option<TimeSpan?> Timeout = new("--request-timeout") { Description = "give up on the API server after so long; without it, 30s", Recursive = true, CustomParser = r => Arguments.Duration(r) };

    /// <exception cref="KubeConfigException">There is no usable kubeconfig.</exception>
    public static JobCluster Connect(ParseResult parsed, TimeProvider clock)
    {
        var configuration = KubernetesClientConfiguration.BuildDefaultConfig(parsed.GetValue(Kubeconfig), parsed.GetValue(Context));
        var options = new KubernetesClientOptions { FieldManager = "kubectl-opt", UserAgent = "kubectl-opt/0.1", RequestTimeout = parsed.GetValue(Timeout) ?? TimeSpan.FromSeconds(30), MaxAttempts = 3 };
        return new(new(configuration, options, clock), parsed.GetValue(Namespace));
    }
}
