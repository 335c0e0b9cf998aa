using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Operator.Rendering;

/// <summary>The trainer pod: ours, with the user's partial template merged over it, and what the system rests on put back on top.</summary>
internal static class PodTemplate
{
    private const string TokenPath = "/var/run/secrets/opt-agent";
    private const string RunPath = "/run/opt";

    public static JsonObject Render(OptTrainingJob job)
    {
        var ours = new JsonObject
        {
            ["metadata"] = new JsonObject { ["labels"] = OwnedObjects.Labels(job), ["annotations"] = LeaveAlone() },
            ["spec"] = Spec(job),
        };
        PodNetwork.Apply(job.Spec.Pod.Network, ours);
        PodScheduling.Apply(job, ours);
        var merged = job.Spec.Pod.Template is { } template ? StrategicMerge.Merge(ours, template) : ours;
        return Essentials.Enforce(job, merged);
    }

    /// <summary>Autoscalers do not empty a machine to save it: one lost member costs every member its work since the last checkpoint.</summary>
    private static JsonObject LeaveAlone() => new()
    {
        ["cluster-autoscaler.kubernetes.io/safe-to-evict"] = "false",
        ["karpenter.sh/do-not-disrupt"] = "true",
    };

    private static JsonObject Spec(OptTrainingJob job) => new()
    {
        ["restartPolicy"] = "Always",
        ["terminationGracePeriodSeconds"] = 120,   // long enough for the step in flight to end
        ["automountServiceAccountToken"] = false,
        ["enableServiceLinks"] = false,
        ["securityContext"] = new JsonObject
        {
            ["runAsNonRoot"] = true,
            ["runAsUser"] = 65532,
            ["runAsGroup"] = 65532,
            ["fsGroup"] = 65532,
            ["fsGroupChangePolicy"] = "OnRootMismatch",
            ["seccompProfile"] = new JsonObject { ["type"] = "RuntimeDefault" },
        },
        ["containers"] = new JsonArray(Trainer(job)),
        ["volumes"] = new JsonArray(
            new JsonObject { ["name"] = "agent-token", ["secret"] = new JsonObject { ["secretName"] = Names.Secret(job.Metadata.Name), ["defaultMode"] = 0x120 } },   // 0440
            new JsonObject { ["name"] = "run", ["emptyDir"] = new JsonObject() },
            new JsonObject { ["name"] = "shm", ["emptyDir"] = new JsonObject { ["medium"] = "Memory" } }),
    };

    private static JsonObject Trainer(OptTrainingJob job)
    {
        var container = new JsonObject
        {
            ["name"] = Names.TrainerContainer,
            ["image"] = job.Spec.Pod.Image,
            ["args"] = new JsonArray("agent"),
            ["env"] = AgentEnvironment.Render(job, TokenPath, RunPath),
            ["ports"] = new JsonArray(new JsonObject { ["name"] = "agent", ["containerPort"] = Names.AgentPort, ["protocol"] = "TCP" }),
            ["volumeMounts"] = new JsonArray(
                new JsonObject { ["name"] = "agent-token", ["mountPath"] = TokenPath, ["readOnly"] = true },
                new JsonObject { ["name"] = "run", ["mountPath"] = RunPath },
                new JsonObject { ["name"] = "shm", ["mountPath"] = "/dev/shm" }),
            // The agent outlives its workers and answers at once whatever they do; only an agent that is stuck for minutes is restarted.
            ["startupProbe"] = Probe(period: 2, timeout: 5, failures: 60),
            ["readinessProbe"] = Probe(period: 10, timeout: 5, failures: 3),
            ["livenessProbe"] = Probe(period: 30, timeout: 15, failures: 6),
            ["securityContext"] = new JsonObject
            {
                ["allowPrivilegeEscalation"] = false,
                ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") },
            },
        };
        if (job.Spec.Pod.AcceleratorResource is { Length: > 0 } resource)
        {
            container["resources"] = new JsonObject { ["limits"] = new JsonObject { [resource] = $"{job.Spec.Topology.AcceleratorsPerNode}" } };
        }

        return container;
    }

    private static JsonObject Probe(int period, int timeout, int failures) => new()
    {
        ["httpGet"] = new JsonObject { ["path"] = "/healthz", ["port"] = "agent" },
        ["periodSeconds"] = period,
        ["timeoutSeconds"] = timeout,
        ["failureThreshold"] = failures,
    };
}

/// <summary>What the agent is told by environment variables; the names are a contract with opt-trainer.</summary>
internal static class AgentEnvironment
{
    public static JsonArray Render(OptTrainingJob job, string tokenPath, string runPath)
    {
        var store = job.Spec.Checkpoint.Store;
        var env = new JsonArray(
            Value("OPT_JOB_NAMESPACE", job.Metadata.Namespace),
            Value("OPT_JOB_NAME", job.Metadata.Name),
            Value("OPT_JOB_UID", job.Metadata.Uid),
            Field("OPT_POD_NAME", "metadata.name"),
            Field("OPT_POD_UID", "metadata.uid"),
            Field("OPT_POD_IP", "status.podIP"),
            Field("OPT_NODE_NAME", "spec.nodeName"),
            Value("OPT_IMAGE", job.Spec.Pod.Image),
            Value("OPT_AGENT_PORT", $"{Names.AgentPort}"),
            Value("OPT_AGENT_TOKEN_FILE", $"{tokenPath}/{Names.TokenKey}"),
            Value("OPT_WORKERS", $"{job.Spec.Topology.AcceleratorsPerNode}"),
            Value("OPT_DATA_ROOT", job.Spec.Data.Root),
            Value("OPT_RUN_DIR", runPath),
            Value("OPT_MEMORY_DIR", "/dev/shm"),
            Value("OPT_STORE", JsonSerializer.Serialize(store, ProtocolJson.Default.StoreSpec)));
        if (store.Directory is { } directory) env.Add((JsonNode)Value("OPT_STORE_DIRECTORY", directory.Path));
        if (store.AzureBlob?.SecretRef is { } secret)
        {
            env.Add((JsonNode)FromSecret("OPT_STORE_CONNECTION_STRING", secret.Name, "connectionString"));
            env.Add((JsonNode)FromSecret("OPT_STORE_SAS_TOKEN", secret.Name, "sasToken"));
            env.Add((JsonNode)FromSecret("OPT_STORE_ACCOUNT_KEY", secret.Name, "accountKey"));
        }

        return env;
    }

    private static JsonObject Value(string name, string value) => new() { ["name"] = name, ["value"] = value };

    private static JsonObject Field(string name, string path) => new() { ["name"] = name, ["valueFrom"] = new JsonObject { ["fieldRef"] = new JsonObject { ["apiVersion"] = "v1", ["fieldPath"] = path } } };

    private static JsonObject FromSecret(string name, string secret, string key) =>
        new() { ["name"] = name, ["valueFrom"] = new JsonObject { ["secretKeyRef"] = new JsonObject { ["name"] = secret, ["key"] = key, ["optional"] = true } } };
}
