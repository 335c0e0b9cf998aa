using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Opt.LocalCluster.Objects;
using Opt.LocalCluster.Scheduling;

namespace Opt.LocalCluster.Kubelet.Environment;

/// <summary>The downward API: <c>fieldRef</c> and <c>resourceFieldRef</c>.</summary>
internal static partial class FieldReference
{
    /// <exception cref="PodFault">The field path is none that the downward API knows.</exception>
    public static string Field(PodSetting setting, string path)
    {
        if (Subscript().Match(path) is { Success: true } match)
        {
            var map = match.Groups["map"].Value == "labels" ? setting.Pod.Labels : setting.Pod.Annotations;
            return map.GetValueOrDefault(match.Groups["key"].Value) ?? "";
        }

        return path switch
        {
            "metadata.name" => setting.Pod.Name,
            "metadata.namespace" => setting.Pod.Namespace,
            "metadata.uid" => setting.Pod.Uid,
            "metadata.labels" => Lines(setting.Pod.Labels),
            "metadata.annotations" => Lines(setting.Pod.Annotations),
            "spec.nodeName" => setting.Pod.NodeName,
            "spec.serviceAccountName" => setting.Pod.Text("spec", "serviceAccountName") ?? "",
            "status.hostIP" or "status.hostIPs" => setting.HostIp,
            "status.podIP" or "status.podIPs" => setting.PodIp,
            _ => throw new PodFault("CreateContainerConfigError", $"unsupported fieldPath: {path}"),
        };
    }

    /// <summary>A container's request or limit in units of the divisor, rounded up; a limit that is not set is what the node can allocate.</summary>
    public static string Resource(PodSetting setting, JsonObject reference, JsonObject container)
    {
        var named = reference.Text("containerName") is { Length: > 0 } name
            ? setting.Pod.Objects("spec", "containers").Concat(setting.Pod.Objects("spec", "initContainers")).FirstOrDefault(c => c.Text("name") == name) ?? container
            : container;
        var resource = reference.Text("resource") ?? "";
        var dot = resource.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0) throw new PodFault("CreateContainerConfigError", $"unsupported container resource : {resource}");
        var (kind, type) = (resource[..dot], resource[(dot + 1)..]);
        var set = named.At("resources", kind, type);
        var amount = set is null && kind == "limits" ? Amounts.Of(setting.Node.At("status", "allocatable", type)) : Amounts.Of(set);
        var divisor = Amounts.Of(reference["divisor"]);
        return Math.Ceiling(amount / (divisor == 0 ? 1 : divisor)).ToString(CultureInfo.InvariantCulture);
    }

    private static string Lines(IReadOnlyDictionary<string, string> map) =>
        string.Join('\n', map.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => $"{e.Key}=\"{e.Value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)}\""));

    [GeneratedRegex(@"^metadata\.(?<map>labels|annotations)\['(?<key>[^']+)'\]$", RegexOptions.CultureInvariant)]
    private static partial Regex Subscript();
}
