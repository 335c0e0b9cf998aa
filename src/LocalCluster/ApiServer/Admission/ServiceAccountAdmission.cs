using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Admission;

/// <summary>Gives a pod its service account, and the volume with its token, the cluster's CA and the namespace.</summary>
internal static class ServiceAccountAdmission
{
    private const string MountPath = "/var/run/secrets/kubernetes.io/serviceaccount";

    public static void Mutate(ObjectStore store, IdSource ids, JsonObject pod, string @namespace)
    {
        var spec = pod.Ensure("spec");
        if (string.IsNullOrEmpty(spec.Str("serviceAccountName"))) spec["serviceAccountName"] = "default";
        var name = spec.Str("serviceAccountName")!;
        spec["serviceAccount"] = name;
        var account = store.Get("/serviceaccounts", @namespace, name)?.ToTree() ?? throw Missing(pod, @namespace, name);
        if (spec.Arr("imagePullSecrets") is null or { Count: 0 } && account.Arr("imagePullSecrets") is { Count: > 0 } secrets) spec["imagePullSecrets"] = secrets.DeepClone();
        if ((spec["automountServiceAccountToken"].Bool() ?? account["automountServiceAccountToken"].Bool()) == false) return;
        Mount(ids, spec);
    }

    private static void Mount(IdSource ids, JsonObject spec)
    {
        var volume = spec.Items("volumes").FirstOrDefault(v => v.Str("name")?.StartsWith("kube-api-access-", StringComparison.Ordinal) == true)?.Str("name");
        var containers = spec.Items("initContainers").Concat(spec.Items("containers"))
            .Where(c => c.Items("volumeMounts").All(m => m.Str("mountPath") != MountPath)).ToArray();
        if (containers.Length == 0) return;
        if (volume is null)
        {
            volume = "kube-api-access-" + ids.Suffix();
            var volumes = spec["volumes"] as JsonArray ?? [];
            volumes.Add(TokenVolume(volume));
            spec["volumes"] = volumes;
        }

        foreach (var container in containers)
        {
            var mounts = container["volumeMounts"] as JsonArray ?? [];
            mounts.Add(new JsonObject { ["name"] = volume, ["readOnly"] = true, ["mountPath"] = MountPath });
            container["volumeMounts"] = mounts;
        }
    }

    private static JsonObject TokenVolume(string name) => new()
    {
        ["name"] = name,
        ["projected"] = new JsonObject
        {
            ["sources"] = new JsonArray(
                new JsonObject { ["serviceAccountToken"] = new JsonObject { ["expirationSeconds"] = 3607, ["path"] = "token" } },
                ConfigMap("kube-root-ca.crt", "ca.crt"),
                new JsonObject
                {
                    ["downwardAPI"] = new JsonObject
                    {
                        ["items"] = new JsonArray(new JsonObject
                        {
                            ["path"] = "namespace",
                            ["fieldRef"] = new JsonObject { ["apiVersion"] = "v1", ["fieldPath"] = "metadata.namespace" },
                        }),
                    },
                },
                ConfigMap("openshift-service-ca.crt", "service-ca.crt")),
            ["defaultMode"] = 420,
        },
    };

    private static JsonObject ConfigMap(string name, string key) => new()
    {
        ["configMap"] = new JsonObject { ["name"] = name, ["items"] = new JsonArray(new JsonObject { ["key"] = key, ["path"] = key }) },
    };

    private static ApiException Missing(JsonObject pod, string @namespace, string name) => ApiErrors.Error(
        403, "Forbidden", $"pods \"{pod.Name()}\" is forbidden: error looking up service account {@namespace}/{name}: serviceaccount \"{name}\" not found",
        new JsonObject { ["name"] = pod.Name(), ["kind"] = "pods" });
}
