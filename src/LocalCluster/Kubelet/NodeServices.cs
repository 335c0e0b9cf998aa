using Opt.LocalCluster.Kubelet.Environment;
using Opt.LocalCluster.Kubelet.Images;
using Opt.LocalCluster.Kubelet.Pods;
using Opt.LocalCluster.Kubelet.Processes;
using Opt.LocalCluster.Kubelet.Volumes;

namespace Opt.LocalCluster.Kubelet;

/// <summary>What the pods of a node share.</summary>
/// <param name="Instance">Marks every process of this opt-local, so that they can be found whatever happens to it.</param>
/// <param name="DataRoot">Where pods' directories are.</param>
/// <param name="Inherited">Environment that every container has unless its pod says otherwise.</param>
internal sealed record NodeServices(
    string Instance, string DataRoot, string HostIp, NodeLink Link, ImageStore Images, VolumeManager Volumes, IPodSources Sources, Backoff Backoff, HttpClient Http,
    IReadOnlyDictionary<string, string> Inherited, LogLimits LogLimits, TimeProvider Clock)
{
    public string PodRoot(string uid) => Path.Combine(DataRoot, "pods", uid);

    public string LogPath(string podUid, string container, int restart) => Path.Combine(PodRoot(podUid), "logs", container, $"{restart}.log");
}
