namespace Opt.Planning;

/// <summary>
/// Pods that stay Terminating. A kubelet that is silent ends nothing, so such a pod is removed without grace at once. One that speaks is given the pod's grace and some minutes: a
/// process in the kernel's hands (a driver that hangs) is never ended, and a job must not wait for it without end. Its machine is put aside before the pod is removed.
/// </summary>
internal static class Overstay
{
    /// <summary>Beyond the grace: for the kubelet's own retries, volumes and logs.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>Nobody on that machine ends pods.</summary>
    public static bool IsSilent(Situation s, PodState pod) => s.NodeOf(pod) is { Ready: false, KubeletSpeaks: false };

    /// <summary>Its kubelet lives, had its time, and did not end it.</summary>
    public static bool Found(Situation s, PodState pod) => pod is { Terminating: true, GraceEnds: { } end } && s.NodeOf(pod) is not null && s.Now - end >= Patience;

    /// <summary>Whether to remove it without grace.</summary>
    public static bool IsForced(Situation s, PodState pod) => IsSilent(s, pod) || (s.IsOnQuarantinedNode(pod) && Found(s, pod));

    public static string Message(Situation s, PodState pod) => FormattableString.Invariant($"{pod.Name} is still terminating on {pod.Node} {(s.Now - pod.GraceEnds!.Value).TotalSeconds:0} s after its grace: its processes cannot be ended");
}
