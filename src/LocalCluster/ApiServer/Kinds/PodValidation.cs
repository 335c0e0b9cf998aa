using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>The rules of a pod specification that a mistaken template most likely breaks.</summary>
internal static class PodValidation
{
    private const string Immutable =
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

    public static void Spec(JsonObject spec, string path, List<FieldError> errors)
    {
        var volumes = Volumes(spec, path, errors);
        if (spec.Arr("containers") is not { Count: > 0 }) errors.Add(FieldError.Required($"{path}.containers"));
        var names = new HashSet<string>(StringComparer.Ordinal);
        Containers(spec, path, "initContainers", names, volumes, errors);
        Containers(spec, path, "containers", names, volumes, errors);
        Enum(spec, path, "restartPolicy", ["Always", "OnFailure", "Never"], errors);
        Enum(spec, path, "dnsPolicy", ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"], errors);
        if (spec["terminationGracePeriodSeconds"].Long() < 0) errors.Add(FieldError.Invalid($"{path}.terminationGracePeriodSeconds", spec["terminationGracePeriodSeconds"], "must be greater than or equal to 0"));
        ObjectMeta.LabelErrors(spec.Obj("nodeSelector"), $"{path}.nodeSelector", errors);
        Tolerations(spec, path, errors);
        foreach (var affinity in (ReadOnlySpan<string>)["podAffinity", "podAntiAffinity"]) Affinity(spec.Obj("affinity", affinity), $"{path}.affinity.{affinity}", errors);
    }

    private static void Affinity(JsonObject? affinity, string path, List<FieldError> errors)
    {
        const string Required = "requiredDuringSchedulingIgnoredDuringExecution";
        foreach (var (index, term) in affinity.Items(Required).Index())
        {
            if (string.IsNullOrEmpty(term.Str("topologyKey"))) errors.Add(FieldError.Required($"{path}.{Required}[{index.ToString(CultureInfo.InvariantCulture)}].topologyKey", "can not be empty"));
        }
    }

    public static void Template(JsonObject template, string path, List<FieldError> errors)
    {
        ObjectMeta.LabelErrors(template.Obj("metadata", "labels"), $"{path}.labels", errors);
        Spec(template.Obj("spec") ?? [], $"{path}.spec", errors);
    }

    public static void Update(JsonObject item, JsonObject old, List<FieldError> errors)
    {
        var (now, before) = (item.Obj("spec") ?? [], old.Obj("spec") ?? []);
        Spec(now, "spec", errors);
        if (now.SameAs(before)) return;
        var allowed = now.Copy();
        CopyImages(allowed, before, "containers");
        CopyImages(allowed, before, "initContainers");
        foreach (var name in (ReadOnlySpan<string>)["activeDeadlineSeconds", "tolerations"]) CopyMember(allowed, before, name);
        if (before["terminationGracePeriodSeconds"].Long() < 0) CopyMember(allowed, before, "terminationGracePeriodSeconds");
        if (before.Arr("schedulingGates") is { Count: > 0 })
        {
            foreach (var name in (ReadOnlySpan<string>)["schedulingGates", "nodeSelector", "affinity"]) CopyMember(allowed, before, name);
        }

        if (!allowed.SameAs(before)) errors.Add(FieldError.Forbidden("spec", $"{Immutable}\n{TextDiff.Of(before, allowed)}"));
    }

    private static void CopyImages(JsonObject to, JsonObject from, string list)
    {
        foreach (var (container, before) in to.Items(list).Zip(from.Items(list))) CopyMember(container, before, "image");
    }

    private static void CopyMember(JsonObject to, JsonObject from, string name)
    {
        if (from[name] is { } value) to[name] = value.DeepClone();
        else to.Remove(name);
    }

    private static HashSet<string> Volumes(JsonObject spec, string path, List<FieldError> errors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var index = 0;
        foreach (var volume in spec.Items("volumes"))
        {
            var at = $"{path}.volumes[{(index++).ToString(CultureInfo.InvariantCulture)}]";
            var name = volume.Str("name") ?? "";
            if (name.Length == 0) errors.Add(FieldError.Required($"{at}.name"));
            else ObjectMeta.NameErrors($"{at}.name", name, NameRule.Label, prefix: false, errors);
            if (!names.Add(name)) errors.Add(FieldError.Duplicate($"{at}.name", name));
            if (volume.Count > 2) errors.Add(FieldError.Forbidden($"{at}.{volume.Skip(2).First().Key}", "may not specify more than 1 volume type"));
        }

        return names;
    }

    private static void Containers(JsonObject spec, string path, string list, HashSet<string> names, HashSet<string> volumes, List<FieldError> errors)
    {
        var index = 0;
        foreach (var container in spec.Items(list))
        {
            var at = $"{path}.{list}[{(index++).ToString(CultureInfo.InvariantCulture)}]";
            var name = container.Str("name") ?? "";
            if (name.Length == 0) errors.Add(FieldError.Required($"{at}.name"));
            else ObjectMeta.NameErrors($"{at}.name", name, NameRule.Label, prefix: false, errors);
            if (!names.Add(name)) errors.Add(FieldError.Duplicate($"{at}.name", name));
            if (string.IsNullOrEmpty(container.Str("image"))) errors.Add(FieldError.Required($"{at}.image"));
            Enum(container, at, "imagePullPolicy", ["Always", "IfNotPresent", "Never"], errors);
            Ports(container, at, errors);
            Env(container, at, errors);
            Mounts(container, at, volumes, errors);
            Resources(container, at, errors);
            foreach (var probe in (ReadOnlySpan<string>)["livenessProbe", "readinessProbe", "startupProbe"]) Probe(container.Obj(probe), $"{at}.{probe}", errors);
        }
    }

    private static void Probe(JsonObject? probe, string path, List<FieldError> errors)
    {
        if (probe is null) return;
        if (probe["exec"] is null && probe["httpGet"] is null && probe["tcpSocket"] is null && probe["grpc"] is null) errors.Add(FieldError.Required(path, "must specify a handler type"));
        foreach (var name in (ReadOnlySpan<string>)["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"])
        {
            if (probe[name].Long() < 0) errors.Add(FieldError.Invalid($"{path}.{name}", probe[name], "must be greater than or equal to 0"));
        }

        if (!path.EndsWith("readinessProbe", StringComparison.Ordinal) && probe["successThreshold"].Long() is > 1) errors.Add(FieldError.Invalid($"{path}.successThreshold", probe["successThreshold"], "must be 1"));
    }

    private static void Ports(JsonObject container, string path, List<FieldError> errors)
    {
        var index = 0;
        foreach (var port in container.Items("ports"))
        {
            var at = $"{path}.ports[{(index++).ToString(CultureInfo.InvariantCulture)}]";
            if (port["containerPort"].Long() is null or 0) errors.Add(FieldError.Required($"{at}.containerPort"));
            else if (port["containerPort"].Long() is < 1 or > 65535) errors.Add(FieldError.Invalid($"{at}.containerPort", port["containerPort"], "must be between 1 and 65535, inclusive"));
            Enum(port, at, "protocol", ["SCTP", "TCP", "UDP"], errors);
        }
    }

    private static void Env(JsonObject container, string path, List<FieldError> errors)
    {
        var index = 0;
        foreach (var env in container.Items("env"))
        {
            var at = $"{path}.env[{(index++).ToString(CultureInfo.InvariantCulture)}]";
            if (string.IsNullOrEmpty(env.Str("name"))) errors.Add(FieldError.Required($"{at}.name"));
            if (env["valueFrom"] is JsonObject from && !string.IsNullOrEmpty(env.Str("value")) && from.Count > 0) errors.Add(FieldError.Invalid($"{at}.valueFrom", "", "may not be specified when `value` is not empty"));
        }
    }

    private static void Mounts(JsonObject container, string path, HashSet<string> volumes, List<FieldError> errors)
    {
        var index = 0;
        var paths = new HashSet<string>(StringComparer.Ordinal);
        foreach (var mount in container.Items("volumeMounts"))
        {
            var at = $"{path}.volumeMounts[{(index++).ToString(CultureInfo.InvariantCulture)}]";
            var name = mount.Str("name") ?? "";
            if (name.Length == 0) errors.Add(FieldError.Required($"{at}.name"));
            else if (!volumes.Contains(name)) errors.Add(FieldError.NotFound($"{at}.name", name));
            if (string.IsNullOrEmpty(mount.Str("mountPath"))) errors.Add(FieldError.Required($"{at}.mountPath"));
            else if (!paths.Add(mount.Str("mountPath")!)) errors.Add(FieldError.Invalid($"{at}.mountPath", mount["mountPath"], "must be unique"));
        }
    }

    private static void Resources(JsonObject container, string path, List<FieldError> errors)
    {
        foreach (var (name, request) in container.Obj("resources", "requests") ?? [])
        {
            if (container.Str("resources", "limits", name) is not { } limitText)
            {
                if (IsExtended(name)) errors.Add(FieldError.Required($"{path}.resources.limits", "Limit must be set for non overcommitable resources"));
                continue;
            }

            if (!Quantity.TryParse(request.Str() ?? "", out var wanted) || !Quantity.TryParse(limitText, out var limit)) continue;
            if (IsExtended(name) && wanted.Nano != limit.Nano) errors.Add(FieldError.Invalid($"{path}.resources.requests", request, $"must be equal to {name} limit of {limitText}"));
            else if (wanted.Nano > limit.Nano) errors.Add(FieldError.Invalid($"{path}.resources.requests", request, $"must be less than or equal to {name} limit of {limitText}"));
        }
    }

    private static bool IsExtended(string resource) =>
        resource.Contains('/', StringComparison.Ordinal) && !resource.StartsWith("kubernetes.io/", StringComparison.Ordinal);

    private static void Tolerations(JsonObject spec, string path, List<FieldError> errors)
    {
        var index = 0;
        foreach (var toleration in spec.Items("tolerations"))
        {
            var at = $"{path}.tolerations[{(index++).ToString(CultureInfo.InvariantCulture)}]";
            if (string.IsNullOrEmpty(toleration.Str("key")) && toleration.Str("operator") != "Exists") errors.Add(FieldError.Invalid($"{at}.operator", toleration["operator"] ?? "", "operator must be Exists when `key` is empty, which means \"match all values and all keys\""));
            if (toleration["tolerationSeconds"] is not null && toleration.Str("effect") != "NoExecute") errors.Add(FieldError.Invalid($"{at}.effect", toleration["effect"] ?? "", "effect must be 'NoExecute' when `tolerationSeconds` is set"));
            if (toleration.Str("operator") is { Length: > 0 } operation and not ("Equal" or "Exists")) errors.Add(FieldError.NotSupported($"{at}.operator", operation, ["Equal", "Exists"]));
            if (toleration.Str("effect") is not (null or "")) Enum(toleration, at, "effect", ["NoSchedule", "PreferNoSchedule", "NoExecute"], errors);
        }
    }

    private static void Enum(JsonObject holder, string path, string name, string[] allowed, List<FieldError> errors)
    {
        if (holder[name].Str() is { } value && !allowed.Contains(value)) errors.Add(FieldError.NotSupported($"{path}.{name}", value, allowed));
    }
}
