using System.Text;
using System.Text.Json.Nodes;
using Opt.LocalCluster.Kubelet.Environment;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Volumes;

/// <summary>The files of configMap, secret, downwardAPI and projected volumes.</summary>
internal static class ProjectedFiles
{
    private const int DefaultMode = 0b110_100_100;   // 0644

    /// <summary>The files of a volume, or null when the volume is of another type.</summary>
    /// <exception cref="PodFault">Something that is not optional is missing.</exception>
    public static async Task<IReadOnlyDictionary<string, ProjectedFile>?> OfAsync(PodSetting setting, JsonObject volume, CancellationToken ct)
    {
        var files = new Dictionary<string, ProjectedFile>(StringComparer.Ordinal);
        if (volume["configMap"] is JsonObject map) AddSource(files, setting, map, "configmap", Mode(map, DefaultMode));
        else if (volume["secret"] is JsonObject secret) AddSource(files, setting, secret, "secret", Mode(secret, DefaultMode));
        else if (volume["downwardAPI"] is JsonObject downward) AddDownward(files, setting, downward, Mode(downward, DefaultMode));
        else if (volume["projected"] is JsonObject projected) await AddProjectedAsync(files, setting, projected, ct);
        else return null;
        return files;
    }

    private static async Task AddProjectedAsync(Dictionary<string, ProjectedFile> files, PodSetting setting, JsonObject projected, CancellationToken ct)
    {
        var mode = Mode(projected, DefaultMode);
        foreach (var source in projected.Objects("sources"))
        {
            if (source["configMap"] is JsonObject map) AddSource(files, setting, map, "configmap", mode);
            else if (source["secret"] is JsonObject secret) AddSource(files, setting, secret, "secret", mode);
            else if (source["downwardAPI"] is JsonObject downward) AddDownward(files, setting, downward, mode);
            else if (source["serviceAccountToken"] is JsonObject token)
            {
                var text = await setting.Sources.TokenAsync(setting.Pod, token.Text("audience"), token.Number("expirationSeconds") ?? 3600, ct);
                files[token.Text("path") ?? "token"] = new(Encoding.UTF8.GetBytes(text), (UnixFileMode)mode);
            }
        }
    }

    private static void AddSource(Dictionary<string, ProjectedFile> files, PodSetting setting, JsonObject source, string kind, int mode)
    {
        var name = source.Text("name") ?? source.Text("secretName") ?? "";
        var found = kind == "configmap" ? setting.Sources.ConfigMap(setting.Pod.Namespace, name) : setting.Sources.Secret(setting.Pod.Namespace, name);
        if (EnvironmentBuilder.Entries(found) is not { } entries)
        {
            // The default service account volume names a config map that only OpenShift publishes.
            if (source.Flag("optional") || name == "openshift-service-ca.crt") return;
            throw new PodFault("FailedMount", $"{kind} \"{name}\" not found");
        }

        var items = source.Objects("items").ToList();
        if (items.Count == 0)
        {
            foreach (var (key, content) in entries) files[key] = new(content, (UnixFileMode)mode);
            return;
        }

        foreach (var item in items)
        {
            var key = item.Text("key") ?? "";
            if (entries.TryGetValue(key, out var content)) files[item.Text("path") ?? key] = new(content, (UnixFileMode)Mode(item, mode));
            else if (!source.Flag("optional")) throw new PodFault("FailedMount", $"references non-existent {kind} key: {key}");
        }
    }

    private static void AddDownward(Dictionary<string, ProjectedFile> files, PodSetting setting, JsonObject source, int mode)
    {
        foreach (var item in source.Objects("items"))
        {
            var text = item["resourceFieldRef"] is JsonObject resource
                ? FieldReference.Resource(setting, resource, setting.Pod.Objects("spec", "containers").First())
                : FieldReference.Field(setting, item.Text("fieldRef", "fieldPath") ?? "");
            files[item.Text("path") ?? ""] = new(Encoding.UTF8.GetBytes(text), (UnixFileMode)Mode(item, mode));
        }
    }

    private static int Mode(JsonObject o, int otherwise) => (int)(o.Number("mode") ?? o.Number("defaultMode") ?? otherwise);
}
