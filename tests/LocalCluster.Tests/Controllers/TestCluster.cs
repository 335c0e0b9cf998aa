using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.NodeLifecycle;
using Opt.LocalCluster.Objects;
using Opt.Testing;

namespace Opt.LocalCluster.Tests.Controllers;

/// <summary>A real control plane in virtual time, with nodes and kubelets played by the test.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private static readonly Caller Tester = new("tester", "tests", ["system:masters", "system:authenticated"]);
    private readonly HashSet<string> _beating = [];

    private TestCluster(Cluster cluster, VirtualTime clock) => (Cluster, Clock) = (cluster, clock);

    public Cluster Cluster { get; }
    public VirtualTime Clock { get; }
    public IClusterApi Api => Cluster.Api;

    public static async Task<TestCluster> StartAsync(string @namespace = "t", NodeLifecycleOptions? nodes = null)
    {
        var clock = new VirtualTime();
        var cluster = await Cluster.StartAsync(new ClusterOptions { Seed = 1, NodeLifecycle = nodes ?? new() }, clock, CancellationToken.None);
        var test = new TestCluster(cluster, clock);
        await test.CreateAsync(Kinds.Namespaces, $$$"""{"metadata":{"name":"{{{@namespace}}}"}}""");
        return test;
    }

    public async Task<JsonObject> CreateAsync(ResourceId resource, string body)
    {
        var o = Make.Json(body);
        var created = await Api.CreateAsync(resource, o.Namespace is { Length: > 0 } ns ? ns : null, o, Tester, CancellationToken.None);
        await Cluster.IdleAsync();
        return created;
    }

    public async Task<JsonObject> PatchAsync(ResourceId resource, string name, string patch, string? subresource = null, PatchKind kind = PatchKind.StrategicMerge)
    {
        var patched = await Api.PatchAsync(resource, resource.Plural == "nodes" ? null : "t", name, kind, JsonNode.Parse(patch)!, Tester, CancellationToken.None, subresource);
        await Cluster.IdleAsync();
        return patched;
    }

    public async Task DeleteAsync(ResourceId resource, string name, string? options = null)
    {
        await Api.DeleteAsync(resource, resource.Plural is "nodes" or "namespaces" ? null : "t", name, options is null ? null : Make.Json(options), Tester, CancellationToken.None);
        await Cluster.IdleAsync();
    }

    public async Task<JsonObject?> FindAsync(ResourceId resource, string name)
    {
        try
        {
            return await Api.GetAsync(resource, resource.Plural is "nodes" or "namespaces" ? null : "t", name, CancellationToken.None);
        }
        catch (ApiException e) when (e.Code == 404)
        {
            return null;
        }
    }

    public async Task<JsonObject> GetAsync(ResourceId resource, string name) =>
        await FindAsync(resource, name) ?? throw new InvalidOperationException($"no {resource.Plural} {name}");

    public async Task<string[]> NamesAsync(ResourceId resource) =>
        [.. (await Api.ListAsync(resource, "t", ListQuery.All, CancellationToken.None)).Objects("items").Select(o => o.Name).Order(StringComparer.Ordinal)];

    /// <summary>Moves the clock second by second; nodes that beat renew their lease in every one.</summary>
    public async Task PassAsync(int seconds)
    {
        for (var i = 0; i < seconds; i++)
        {
            await Clock.AdvanceAsync(TimeSpan.FromSeconds(1), () => Cluster.IdleAsync());
            foreach (var node in _beating) await BeatAsync(node);
        }
    }

    public async Task AddNodeAsync(string name, int accelerators = 8)
    {
        var node = Make.Node(name, accelerators);
        node.Remove("spec");
        node["metadata"]!.AsObject().Remove("uid");
        node["status"]!["capacity"] = node["status"]!["allocatable"]!.DeepClone();
        await CreateAsync(Kinds.Nodes, node.ToJsonString());
        await ReviveAsync(name);
    }

    public void Silence(string node) => _beating.Remove(node);

    public async Task ReviveAsync(string node)
    {
        _beating.Add(node);
        await PatchAsync(Kinds.Nodes, node, """{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","message":"kubelet is posting ready status"}]}}""", "status");
        await BeatAsync(node);
    }

    /// <summary>What a kubelet does with pods that are bound to it: runs them, and finishes those that are to go.</summary>
    public async Task PlayKubeletAsync()
    {
        foreach (var pod in (await Api.ListAsync(Kinds.Pods, "t", ListQuery.All, CancellationToken.None)).Objects("items").Where(p => _beating.Contains(p.NodeName)).ToList())
        {
            if (pod.IsTerminating) await DeleteAsync(Kinds.Pods, pod.Name, """{"gracePeriodSeconds":0}""");
            else if (!pod.IsPodReady) await PatchAsync(Kinds.Pods, pod.Name, """{"status":{"phase":"Running","podIP":"127.9.0.1","conditions":[{"type":"Ready","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}""", "status");
        }
    }

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();

    private async Task BeatAsync(string node)
    {
        var spec = new JsonObject { ["holderIdentity"] = node, ["leaseDurationSeconds"] = 40, ["renewTime"] = Clock.GetUtcNow().ToKubernetesMicroTime() };
        var lease = new JsonObject { ["metadata"] = new JsonObject { ["name"] = node, ["namespace"] = "kube-node-lease" }, ["spec"] = spec };
        try
        {
            await Api.PatchAsync(Kinds.Leases, "kube-node-lease", node, PatchKind.Merge, lease, Tester, CancellationToken.None);
        }
        catch (ApiException e) when (e.Code == 404)
        {
            await Api.CreateAsync(Kinds.Leases, "kube-node-lease", lease, Tester, CancellationToken.None);
        }

        await Cluster.IdleAsync();
    }
}
