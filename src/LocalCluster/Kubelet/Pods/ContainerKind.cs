namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>How a container takes part in its pod.</summary>
public enum ContainerKind
{
    /// <summary>Runs to its end before the next one.</summary>
    Init,

    /// <summary>An init container with <c>restartPolicy: Always</c>: runs beside the main ones, started before and stopped after them.</summary>
    Sidecar,

    Main,
}
