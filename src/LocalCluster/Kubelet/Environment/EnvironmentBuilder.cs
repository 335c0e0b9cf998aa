using System.Text;
using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Environment;

/// <summary>The environment of a container: envFrom, then env in order, later ones over earlier ones, with <c>$(NAME)</c> of what came before.</summary>
internal static class EnvironmentBuilder
{
    private const string ConfigError = "CreateContainerConfigError";

    /// <param name="inherited">What every container has unless the pod says otherwise.</param>
    /// <exception cref="PodFault">A config map, secret or key that the pod needs is missing.</exception>
    public static Dictionary<string, string> Build(PodSetting setting, JsonObject container, IReadOnlyDictionary<string, string> inherited)
    {
        var result = new Dictionary<string, string>(inherited, StringComparer.Ordinal);
        foreach (var source in container.Objects("envFrom"))
        {
            foreach (var (name, value) in From(setting, source)) result[$"{source.Text("prefix")}{name}"] = value;
        }

        foreach (var variable in container.Objects("env"))
        {
            if (variable.Text("name") is not { } name) continue;
            if (variable["valueFrom"] is not JsonObject from) result[name] = VariableExpansion.Expand(variable.Text("value") ?? "", result);
            else if (Value(setting, from, container) is { } value) result[name] = value;
        }

        return result;
    }

    /// <summary>The entries of a config map or secret as text; null when it is missing.</summary>
    public static Dictionary<string, byte[]>? Entries(JsonObject? source)
    {
        if (source is null) return null;
        var isSecret = source.Text("kind") == "Secret";
        var result = source.Map("data").ToDictionary(e => e.Key, e => isSecret ? Convert.FromBase64String(e.Value) : Encoding.UTF8.GetBytes(e.Value), StringComparer.Ordinal);
        foreach (var (key, value) in source.Map("binaryData")) result[key] = Convert.FromBase64String(value);
        return result;
    }

    private static IEnumerable<KeyValuePair<string, string>> From(PodSetting setting, JsonObject source)
    {
        var (kind, reference) = source["configMapRef"] is JsonObject map ? ("configmap", map) : ("secret", source["secretRef"] as JsonObject ?? []);
        var name = reference.Text("name") ?? "";
        var found = kind == "configmap" ? setting.Sources.ConfigMap(setting.Pod.Namespace, name) : setting.Sources.Secret(setting.Pod.Namespace, name);
        if (Entries(found) is { } entries) return entries.Select(e => KeyValuePair.Create(e.Key, Encoding.UTF8.GetString(e.Value)));
        return reference.Flag("optional") ? [] : throw new PodFault(ConfigError, $"{kind} \"{name}\" not found");
    }

    private static string? Value(PodSetting setting, JsonObject from, JsonObject container)
    {
        if (from["fieldRef"] is JsonObject field) return FieldReference.Field(setting, field.Text("fieldPath") ?? "");
        if (from["resourceFieldRef"] is JsonObject resource) return FieldReference.Resource(setting, resource, container);
        if (from["configMapKeyRef"] is JsonObject map) return Key(setting, map, "ConfigMap", setting.Sources.ConfigMap(setting.Pod.Namespace, map.Text("name") ?? ""));
        return from["secretKeyRef"] is JsonObject secret ? Key(setting, secret, "Secret", setting.Sources.Secret(setting.Pod.Namespace, secret.Text("name") ?? "")) : null;
    }

    private static string? Key(PodSetting setting, JsonObject reference, string kind, JsonObject? source)
    {
        var (name, key) = (reference.Text("name") ?? "", reference.Text("key") ?? "");
        var entries = Entries(source);
        if (entries is not null && entries.TryGetValue(key, out var value)) return Encoding.UTF8.GetString(value);
        if (reference.Flag("optional")) return null;
        throw new PodFault(ConfigError, entries is null
            ? $"{kind.ToLowerInvariant()} \"{name}\" not found" : $"couldn't find key {key} in {kind} {setting.Pod.Namespace}/{name}");
    }
}
