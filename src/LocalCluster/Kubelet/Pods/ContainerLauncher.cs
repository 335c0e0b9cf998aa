using System.Text.Json.Nodes;
using Opt.Kubernetes;
using Opt.LocalCluster.Kubelet.Environment;
using Opt.LocalCluster.Kubelet.Processes;
using Opt.LocalCluster.Kubelet.Volumes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>Works out what a container's process is: program, arguments, environment, directory.</summary>
internal static class ContainerLauncher
{
    private const string ServiceAccountMount = "/var/run/secrets/kubernetes.io/serviceaccount";

    // In-cluster clients look at a fixed path, which a process without a file system of its own does not have: they are told where it is.
    private const string ServiceAccountFolderVariable = KubernetesClientConfiguration.ServiceAccountFolderVariable;

    /// <exception cref="PodFault">The image is not there, or something the container refers to is missing.</exception>
    public static ProcessSpec Resolve(NodeServices node, PodSetting setting, ContainerState container, IReadOnlyDictionary<string, string> volumes, IReadOnlyDictionary<string, string> devices)
    {
        var image = container.Spec.Text("image") ?? "";
        var local = node.Images.Find(image) ?? throw new PodFault(
            "ErrImagePull", $"failed to pull image \"{image}\": no local program stands for it; start opt-local with --image {image}=PATH");
        var root = Path.Combine(node.PodRoot(setting.Pod.Uid), "containers", container.Name);
        Directory.CreateDirectory(root);

        var inherited = new Dictionary<string, string>(node.Inherited) { ["HOSTNAME"] = setting.Pod.Text("spec", "hostname") ?? setting.Pod.Name };
        foreach (var (name, value) in devices) inherited[name] = value;
        if (container.Spec.Objects("volumeMounts").Any(m => m.Text("mountPath") == ServiceAccountMount)) inherited[ServiceAccountFolderVariable] = ServiceAccountMount;
        var variables = EnvironmentBuilder.Build(setting, container.Spec, inherited);
        var mounts = VolumeManager.MountsOf(container.Spec, volumes, Path.Combine(root, "termination-log"), variables);
        var environment = variables.ToDictionary(v => v.Key, v => mounts.Translate(v.Value), StringComparer.Ordinal);
        string Argument(string text) => mounts.Translate(VariableExpansion.Expand(text, variables));

        var line = local.CommandLine([.. container.Spec.Strings("command").Select(Argument)], [.. container.Spec.Strings("args").Select(Argument)]);
        var directory = container.Spec.Text("workingDir") is { Length: > 0 } wanted ? mounts.Translate(wanted) : root;
        if (!Directory.Exists(directory)) directory = root;   // a working directory inside an image that is only a file here
        var program = Executable.Resolve(line[0], directory, environment.GetValueOrDefault("PATH") ?? "") ?? line[0];
        return new(program, [.. line.Skip(1)], environment, directory, $"{node.Instance}/{setting.Pod.Uid}/{container.Name}/");
    }

    /// <summary>The container's last words: its termination message file, or the end of its log where the pod asks for that.</summary>
    public static string? TerminationMessage(NodeServices node, string podUid, ContainerState container, int exitCode, string logPath)
    {
        var file = Path.Combine(node.PodRoot(podUid), "containers", container.Name, "termination-log");
        if (File.Exists(file))
        {
            var text = File.ReadAllText(file);
            File.Delete(file);
            if (text.Length > 0) return text.Length <= 4096 ? text : text[^4096..];
        }

        if (exitCode == 0 || container.Spec.Text("terminationMessagePolicy") != "FallbackToLogsOnError" || !File.Exists(logPath)) return null;
        var tail = string.Join('\n', File.ReadLines(logPath).TakeLast(80).Select(line => line.Split(' ', 4) is [_, _, _, var said] ? said : ""));
        return tail.Length <= 2048 ? tail : tail[^2048..];
    }
}
