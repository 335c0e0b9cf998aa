using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Defaults of a pod specification, in a pod or in a template.</summary>
internal static class PodSpecDefaults
{
    public static void Fill(JsonObject spec)
    {
        spec.Default("restartPolicy", "Always");
        spec.Default("terminationGracePeriodSeconds", 30);
        spec.Default("dnsPolicy", "ClusterFirst");
        spec.Default("securityContext", new JsonObject());
        spec.Default("schedulerName", "default-scheduler");
        Mirror(spec);
        foreach (var volume in spec.Items("volumes")) VolumeDefaults.Fill(volume);
        foreach (var container in Containers(spec)) Fill(container, spec["hostNetwork"].Bool() == true);
    }

    public static IEnumerable<JsonObject> Containers(JsonObject spec) =>
        spec.Items("initContainers").Concat(spec.Items("containers")).Concat(spec.Items("ephemeralContainers"));

    // The old name of the service account field follows the new one, and the other way round.
    private static void Mirror(JsonObject spec)
    {
        if (spec.Str("serviceAccountName") is { Length: > 0 } name) spec["serviceAccount"] = name;
        else if (spec.Str("serviceAccount") is { Length: > 0 } old) spec["serviceAccountName"] = old;
    }

    private static void Fill(JsonObject container, bool hostNetwork)
    {
        container.Default("terminationMessagePath", "/dev/termination-log");
        container.Default("terminationMessagePolicy", "File");
        container.Default("imagePullPolicy", PullPolicy(container.Str("image") ?? ""));
        foreach (var port in container.Items("ports"))
        {
            port.Default("protocol", "TCP");
            if (hostNetwork && port["containerPort"].Long() is { } number) port.Default("hostPort", number);
        }

        foreach (var env in container.Items("env"))
        {
            env.Obj("valueFrom", "fieldRef")?.Default("apiVersion", "v1");
        }

        foreach (var probe in (ReadOnlySpan<string>)["livenessProbe", "readinessProbe", "startupProbe"]) Probe(container.Obj(probe));
        foreach (var hook in (ReadOnlySpan<string>)["postStart", "preStop"]) Http(container.Obj("lifecycle", hook, "httpGet"));
    }

    private static string PullPolicy(string image)
    {
        var name = image[(image.LastIndexOf('/') + 1)..];
        if (name.Contains('@', StringComparison.Ordinal)) return "IfNotPresent";
        var colon = name.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 || name[(colon + 1)..] == "latest" ? "Always" : "IfNotPresent";
    }

    private static void Probe(JsonObject? probe)
    {
        if (probe is null) return;
        probe.Default("timeoutSeconds", 1);
        probe.Default("periodSeconds", 10);
        probe.Default("successThreshold", 1);
        probe.Default("failureThreshold", 3);
        Http(probe.Obj("httpGet"));
        probe.Obj("grpc")?.Default("service", "");
    }

    private static void Http(JsonObject? action)
    {
        action?.Default("path", "/");
        action?.Default("scheme", "HTTP");
    }
}
