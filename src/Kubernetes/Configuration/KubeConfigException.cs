namespace Opt.Kubernetes;

/// <summary>A kubeconfig or credential that cannot be used. The message names file, field, value and what is allowed.</summary>
public sealed class KubeConfigException(string message, Exception? inner = null) : Exception(message, inner);
