using System.Text.Json.Nodes;
using Opt.LocalCluster.Kubelet.Environment;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Volumes;

/// <summary>Makes the volumes of pods as directories and files under the node's data directory, and keeps projected ones up to date.</summary>
internal sealed class VolumeManager(string claimsRoot, HostPaths hostPaths, TimeProvider clock)
{
    /// <summary>Sets up every volume; the result names their real paths.</summary>
    /// <exception cref="PodFault">A volume cannot be set up now.</exception>
    public async Task<IReadOnlyDictionary<string, string>> PrepareAsync(PodSetting setting, string podRoot, CancellationToken ct)
    {
        var paths = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var volume in setting.Pod.Objects("spec", "volumes"))
        {
            var name = volume.Text("name") ?? "";
            paths[name] = await PrepareAsync(setting, volume, Path.Combine(podRoot, "volumes", name), ct);
        }

        return paths;
    }

    /// <summary>The mounts of one container, subPath included.</summary>
    public static MountTable MountsOf(JsonObject container, IReadOnlyDictionary<string, string> volumes, string terminationLog, IReadOnlyDictionary<string, string> variables)
    {
        var mounts = container.Objects("volumeMounts").Select(mount =>
        {
            var root = volumes.GetValueOrDefault(mount.Text("name") ?? "") ?? throw new PodFault("CreateContainerConfigError", $"volume \"{mount.Text("name")}\" is not defined");
            var sub = mount.Text("subPath") ?? (mount.Text("subPathExpr") is { } template ? VariableExpansion.Expand(template, variables) : "");
            return (mount.Text("mountPath") ?? "", sub.Length == 0 ? root : SubPath(root, sub));
        });
        return new([.. mounts, (container.Text("terminationMessagePath") ?? "/dev/termination-log", terminationLog)]);
    }

    private static string SubPath(string root, string sub)
    {
        var path = Path.GetFullPath(Path.Combine(root, sub));
        if (!path.StartsWith(root, StringComparison.Ordinal)) throw new PodFault("CreateContainerConfigError", $"subPath \"{sub}\" leaves its volume");
        if (!File.Exists(path)) Directory.CreateDirectory(path);
        return path;
    }

    private async Task<string> PrepareAsync(PodSetting setting, JsonObject volume, string path, CancellationToken ct)
    {
        if (await ProjectedFiles.OfAsync(setting, volume, ct) is { } files)
        {
            AtomicDirectory.Write(path, files, clock.GetUtcNow());
            return path;
        }

        if (volume["hostPath"] is JsonObject host) return HostPath(host);
        if (volume["persistentVolumeClaim"] is JsonObject claim) path = Path.Combine(claimsRoot, setting.Pod.Namespace, claim.Text("claimName") ?? "");
        else if (volume["emptyDir"] is null) throw new PodFault("FailedMount", $"volume \"{volume.Text("name")}\" is of a type that the local cluster does not have");
        Directory.CreateDirectory(path);
        return path;
    }

    private string HostPath(JsonObject host)
    {
        var path = hostPaths.Resolve(host.Text("path") ?? "");
        switch (host.Text("type"))
        {
            case "DirectoryOrCreate":
                Directory.CreateDirectory(path);
                break;
            case "FileOrCreate" when !File.Exists(path):
                File.Create(path).Dispose();
                break;
            case "Directory" when !Directory.Exists(path):
                throw new PodFault("FailedMount", $"hostPath type check failed: {path} is not a directory");
            case "File" when !File.Exists(path):
                throw new PodFault("FailedMount", $"hostPath type check failed: {path} is not a file");
        }

        return path;
    }
}
