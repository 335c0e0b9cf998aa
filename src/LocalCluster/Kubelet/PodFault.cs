namespace Opt.LocalCluster.Kubelet;

/// <summary>Why a container or a volume of a pod cannot be set up now, as the kubelet would say it. It is tried again.</summary>
internal sealed class PodFault(string reason, string message) : Exception(message)
{
    /// <summary>Such as CreateContainerConfigError, FailedMount, ErrImagePull.</summary>
    public string Reason { get; } = reason;
}
