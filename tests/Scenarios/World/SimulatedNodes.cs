using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.Planning.Tests.World;

namespace Opt.Scenarios.World;

/// <summary>Nodes and their kubelets, as far as the control plane can see them: heartbeats, pod status, graceful deletion. A pod's container is a scripted agent.</summary>
internal sealed class SimulatedNodes(IClusterApi api, ObjectCache pods, Func<string, ScriptedAgents> agentsOf, TimeProvider clock)
{
    private static readonly Caller Kubelet = new("system:kubelet", "kubelet", ["system:masters"]);
    private static readonly ResourceId Leases = new("coordination.k8s.io", "v1", "leases");
    private readonly ConcurrentDictionary<string, bool> _alive = new();
    private readonly ConcurrentDictionary<string, string> _running = new();   // pod uid -> ip
    private int _next;

    public async Task AddAsync(string name, CancellationToken ct)
    {
        _alive[name] = true;
        await api.CreateAsync(ResourceId.Nodes, null, new JsonObject { ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = new JsonObject { ["kubernetes.io/hostname"] = name } } }, Kubelet, ct);
        var resources = new JsonObject { ["cpu"] = "8", ["memory"] = "16Gi", ["pods"] = "10", ["nvidia.com/gpu"] = "8" };
        await api.PatchAsync(ResourceId.Nodes, null, name, PatchKind.Merge, new JsonObject
        {
            ["status"] = new JsonObject
            {
                ["capacity"] = resources, ["allocatable"] = resources.DeepClone(),
                ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True", ["reason"] = "KubeletReady", ["message"] = "ready", ["lastHeartbeatTime"] = Time(), ["lastTransitionTime"] = Time() }),
            },
        }, Kubelet, ct, subresource: "status");
        await api.CreateAsync(Leases, "kube-node-lease", new JsonObject { ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "kube-node-lease" }, ["spec"] = new JsonObject { ["holderIdentity"] = name, ["leaseDurationSeconds"] = 40, ["renewTime"] = MicroTime() } }, Kubelet, ct);
    }

    /// <summary>The machine dies: no heartbeat, no agent, and nobody ends its pods.</summary>
    public void Kill(string node)
    {
        _alive[node] = false;
        foreach (var (uid, ip) in _running.Where(r => r.Key.StartsWith(node + "/", StringComparison.Ordinal))) Everyone(agents => agents.Cut(ip));
    }

    public IReadOnlyCollection<string> Dead => [.. _alive.Where(n => !n.Value).Select(n => n.Key)];

    /// <summary>The machine is there again. Rebooted, its containers are new; otherwise only its network was gone, and everything on it lived on.</summary>
    public void Revive(string node, bool rebooted)
    {
        foreach (var (_, ip) in _running.Where(r => r.Key.StartsWith(node + "/", StringComparison.Ordinal)))
        {
            if (rebooted) RestartAgent(ip);
            Everyone(agents => agents.Mend(ip));
        }

        _alive[node] = true;
    }

    /// <summary>The container of that pod ends and is started again by its kubelet.</summary>
    public void RestartAgent(string ip)
    {
        var instance = $"instance-{++_next}";
        Everyone(agents => agents.Restart(ip, instance));
    }

    /// <summary>An address is one job's only; to the other's agents it means nothing.</summary>
    private void Everyone(Action<ScriptedAgents> act)
    {
        act(agentsOf(""));
        act(agentsOf("second-"));
    }

    public async Task HeartbeatAsync(CancellationToken ct)
    {
        foreach (var node in _alive.Where(n => n.Value).Select(n => n.Key)) await api.PatchAsync(Leases, "kube-node-lease", node, PatchKind.Merge, new JsonObject { ["spec"] = new JsonObject { ["renewTime"] = MicroTime() } }, Kubelet, ct);
    }

    /// <summary>What all kubelets do in one moment: start what was bound, end what is to go.</summary>
    public async Task SyncAsync(CancellationToken ct)
    {
        // The control plane's own copy: to list all pods anew every second is most of the work in a world of 2,048 machines.
        JsonObject[] all = [.. pods.All().OrderBy(p => (string)p["metadata"]!["name"]!, StringComparer.Ordinal)];
        foreach (var pod in all)
        {
            if ((string?)pod["spec"]!["nodeName"] is not { } node || !_alive.GetValueOrDefault(node)) continue;
            var (name, @namespace, key) = ((string)pod["metadata"]!["name"]!, (string)pod["metadata"]!["namespace"]!, $"{node}/{pod["metadata"]!["uid"]}");
            if (pod["metadata"]!["deletionTimestamp"] is not null) await EndAsync(pod, @namespace, name, key, ct);
            else if (!_running.ContainsKey(key)) await StartAsync(pod, @namespace, name, node, key, ct);
        }

        EndOrphans([.. all.Select(p => $"{(string?)p["spec"]!["nodeName"]}/{p["metadata"]!["uid"]}")]);
    }

    /// <summary>A kubelet that comes back ends what was deleted without it.</summary>
    private void EndOrphans(HashSet<string> wanted)
    {
        foreach (var (key, _) in _running.Where(r => !wanted.Contains(r.Key) && _alive.GetValueOrDefault(r.Key.Split('/')[0])))
        {
            if (_running.TryRemove(key, out var ip)) Everyone(agents => agents.Stop(ip));
        }
    }

    /// <summary>The kubelet evicts a pod: it fails, with a reason.</summary>
    public async Task EvictAsync(string @namespace, string name, CancellationToken ct)
    {
        await StatusAsync(@namespace, name, new JsonObject { ["phase"] = "Failed", ["reason"] = "Evicted", ["message"] = "The node was low on resource: memory." }, ct);
    }

    private async Task StartAsync(JsonObject pod, string @namespace, string name, string node, string key, CancellationToken ct)
    {
        var ip = $"10.1.{_next / 250}.{1 + _next++ % 250}";
        var uid = (string)pod["metadata"]!["uid"]!;
        var jobUid = (string?)pod["spec"]!["containers"]![0]!["env"]?.AsArray().Single(e => (string)e!["name"]! == "OPT_JOB_UID")!["value"];
        _running[key] = ip;
        if (jobUid is not null) agentsOf(name).Start(ip, new SimulatedAgent(jobUid, name, uid, node, $"instance-{_next}"));   // another tenant's pod has no agent
        await StatusAsync(@namespace, name, new JsonObject
        {
            ["phase"] = "Running", ["podIP"] = ip, ["podIPs"] = new JsonArray(new JsonObject { ["ip"] = ip }), ["startTime"] = Time(),
            ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True", ["lastTransitionTime"] = Time() }),
        }, ct);
    }

    private async Task EndAsync(JsonObject pod, string @namespace, string name, string key, CancellationToken ct)
    {
        if (_running.TryRemove(key, out var ip)) agentsOf(name).Stop(ip);
        var options = new JsonObject { ["gracePeriodSeconds"] = 0, ["preconditions"] = new JsonObject { ["uid"] = pod["metadata"]!["uid"]!.DeepClone() } };
        await api.DeleteAsync(ResourceId.Pods, @namespace, name, options, Kubelet, ct);
    }

    private async Task StatusAsync(string @namespace, string name, JsonObject status, CancellationToken ct) =>
        await api.PatchAsync(ResourceId.Pods, @namespace, name, PatchKind.StrategicMerge, new JsonObject { ["status"] = status }, Kubelet, ct, subresource: "status");

    private string Time() => clock.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture);

    private string MicroTime() => clock.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ", System.Globalization.CultureInfo.InvariantCulture);
}
