namespace Opt.Kubernetes;

/// <summary>A credential plugin (client.authentication.k8s.io): a program that prints a token or a client certificate.</summary>
/// <param name="Command">A name looked up in PATH, or an absolute path.</param>
/// <param name="ProvideClusterInfo">Tell the program about the cluster in <c>KUBERNETES_EXEC_INFO</c>.</param>
public sealed record ExecPlugin(
    string ApiVersion, string Command, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Environment, bool ProvideClusterInfo = false, string? InstallHint = null)
{
    /// <summary>How long the program may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);
}
