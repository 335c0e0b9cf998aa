using System.Globalization;
using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Tests.ApiServer.Replay;

/// <summary>Config maps: the rules that hold for every kind.</summary>
internal sealed class ObjectsScript(ReplayServer server) : Script(server)
{
    private const string Maps = "/api/v1/namespaces/t-objects/configmaps";

    public override async Task BeforeAsync(int step)
    {
        switch (step)
        {
            case 28:
                Set("<rv>", "1");
                break;
            case 30:
                foreach (var (name, labels) in ((string, string)[])[("l1", """{"tier":"a"}"""), ("l2", """{"tier":"b"}"""), ("l3", """{"tier":"a","x":"1"}"""), ("l4", "{}")])
                {
                    await Server.DoAsync("POST", Maps, $$$"""{"metadata":{"name":"{{{name}}}","labels":{{{labels}}}},"data":{"k":"v"}}""");
                }

                break;
            case 37:
                Set("<continue>", "abcd!bad");
                break;
            case 48:
                Set("<uid>", "00000000-0000-0000-0000-000000000000");
                break;
        }
    }

    public override void After(Step step, JsonNode? answer)
    {
        if (step.Index == 16)
        {
            Set("<rv>", Rv(answer!));
            Set("<uid>", Uid(answer!));
        }

        if (step.Index == 35) Set("<continue>", (string)answer!["metadata"]!["continue"]!);
    }
}

/// <summary>Custom resources.</summary>
internal sealed class CustomResourcesScript(ReplayServer server) : Script(server)
{
    public override async Task BeforeAsync(int step)
    {
        if (step == 0) await Server.DoAsync("POST", "/api/v1/namespaces", """{"metadata":{"name":"t-custom"}}""");
    }
}

/// <summary>Discovery.</summary>
internal sealed class DiscoveryScript(ReplayServer server) : Script(server)
{
    private static readonly string[] NotServed =
        ["apiregistration.k8s.io", "autoscaling", "certificates.k8s.io", "node.k8s.io", "resource.k8s.io", "flowcontrol.apiserver.k8s.io"];

    public override IReadOnlyDictionary<int, (string Reason, Func<JsonNode, JsonNode> Forgive)> Exceptions { get; } = new Dictionary<int, (string, Func<JsonNode, JsonNode>)>
    {
        [4] = ("the address is the one that this server has", body =>
        {
            body["serverAddressByClientCIDRs"]![0]!["serverAddress"] = "<address>";
            return body;
        }),
        [5] = ("groups that hold nothing the operator, kubectl or Helm use are not served", body =>
        {
            var kept = body["groups"]!.AsArray().Where(g => !NotServed.Contains((string)g!["name"]!)).Select(g => g!.DeepClone());
            body["groups"] = new JsonArray([.. kept]);
            return body;
        }),
    };
}

/// <summary>Watches.</summary>
internal sealed class WatchScript(ReplayServer server) : Script(server)
{
    private const string Maps = "/api/v1/namespaces/t-watch/configmaps";
    private string _listed = "";

    public override async Task BeforeAsync(int step)
    {
        switch (step)
        {
            case 0:
                await Server.DoAsync("POST", "/api/v1/namespaces", """{"metadata":{"name":"t-watch"}}""");
                await Server.DoAsync("POST", Maps, """{"metadata":{"name":"seed","labels":{"w":"1"}},"data":{"k":"v"}}""");
                break;
            case 2 or 7:
                Set("<rv>", "0");
                break;
            case 4:
                Set("<rv>", Rv(await Server.GetAsync(Maps)));
                break;
            case 5:
                Set("<rv>", _listed);
                break;
            case 9:
                Set("<rv>", "999999999");
                break;
        }
    }

    public override async Task WhileWatchingAsync(int step)
    {
        switch (step)
        {
            case 1:
                await Server.DoAsync("POST", Maps, """{"metadata":{"name":"w1","labels":{"w":"1"}},"data":{"k":"v"}}""");
                await Server.MergeAsync($"{Maps}/w1", """{"data":{"k":"2"}}""");
                await Server.MergeAsync($"{Maps}/w1", """{"metadata":{"labels":{"w":null}}}""");
                await Server.MergeAsync($"{Maps}/w1", """{"metadata":{"labels":{"w":"2"}}}""");
                await Server.DoAsync("DELETE", $"{Maps}/w1");
                break;
            case 4:
                await Server.MergeAsync($"{Maps}/seed", """{"data":{"z":"1"}}""");
                break;
            case 9:
                await Server.PassAsync(6);
                break;
        }
    }

    public override void After(Step step, JsonNode? answer)
    {
        if (step.Index != 0) return;
        _listed = Rv(answer!);
        Set("<rv>", _listed);
    }
}

/// <summary>Who may do what.</summary>
internal sealed class AccessScript(ReplayServer server) : Script(server);

/// <summary>StatefulSets, scale, and garbage collection.</summary>
internal sealed class StatefulSetsScript(ReplayServer server) : Script(server)
{
    public override async Task BeforeAsync(int step)
    {
        switch (step)
        {
            case 0:
                await Server.DoAsync("POST", "/api/v1/namespaces", """{"metadata":{"name":"t-sts"}}""");
                break;
            case 19:
                Set("<uid>", Uid(await Server.GetAsync("/apis/apps/v1/namespaces/t-sts/statefulsets/web")));
                break;
            case 21:
                await Server.UntilGoneAsync("/api/v1/namespaces/t-sts/configmaps/owned");
                break;
            case 23:
                await Server.UntilGoneAsync("/apis/apps/v1/namespaces/t-sts/statefulsets/ord");
                break;
            case 24:
                Set("<uid>", "11111111-1111-1111-1111-111111111111");
                break;
            case 25:
                await Server.UntilGoneAsync("/api/v1/namespaces/t-sts/configmaps/dead");
                break;
            case 27:
                await Server.UntilGoneAsync("/api/v1/namespaces/t-sts");
                break;
        }
    }
}

/// <summary>Pods, nodes, binding, scheduling and eviction.</summary>
internal sealed class PodsAndNodesScript(ReplayServer server) : Script(server)
{
    public override async Task BeforeAsync(int step)
    {
        switch (step)
        {
            case 0:
                await Server.DoAsync("POST", "/api/v1/namespaces", """{"metadata":{"name":"t-pods"}}""");
                break;
            case 1:
                await Nodes.RegisterAsync(Server, "n2", """{"kubernetes.io/hostname":"n2"}""", gpus: 8);
                await Nodes.BeatAsync(Server, "n1");
                await Nodes.BeatAsync(Server, "n2");
                break;
            case 17:
                await PodAsync("p2", """{"containers":[{"name":"c","image":"example.com/c:1"}],"schedulerName":"none"}""");
                break;
            case 20:
                foreach (var name in (string[])["g2", "g3"]) await PodAsync(name, """{"containers":[{"name":"c","image":"example.com/c:1","resources":{"limits":{"nvidia.com/gpu":"8"}}}]}""");
                break;
        }
    }

    private Task<JsonNode> PodAsync(string name, string spec) =>
        Server.DoAsync("POST", "/api/v1/namespaces/t-pods/pods", $$$"""{"metadata":{"name":"{{{name}}}"},"spec":{{{spec}}}}""");

    public override IReadOnlyDictionary<int, (string Reason, Func<JsonNode, JsonNode> Forgive)> Exceptions { get; } = new Dictionary<int, (string, Func<JsonNode, JsonNode>)>
    {
        [20] = ("the real scheduler draws lots between nodes that are equally good", body =>
        {
            body["spec"]!["nodeName"] = "<n1 or n2>";
            return body;
        }),
        [10] = ("the message ends with a diff of the real server's internal types, which nobody can program against", body =>
        {
            static string Head(JsonNode? text) => ((string)text!).Split('\n')[0];
            body["message"] = Head(body["message"]);
            body["details"]!["causes"]![0]!["message"] = Head(body["details"]!["causes"]![0]!["message"]);
            return body;
        }),
    };
}

/// <summary>A node that stops heartbeating, and what follows.</summary>
internal sealed class NodeFailureScript(ReplayServer server) : Script(server)
{
    private const string Pods = "/api/v1/namespaces/t-nodefail/pods";
    private string _uid = "";

    public override async Task BeforeAsync(int step)
    {
        switch (step)
        {
            case 0:
                await Server.DoAsync("POST", "/api/v1/namespaces", """{"metadata":{"name":"t-nodefail"}}""");
                foreach (var node in (string[])["f1", "f2"])
                {
                    await Nodes.RegisterAsync(Server, node, $$$"""{"kubernetes.io/hostname":"{{{node}}}","pool":"f"}""", gpus: 0);
                    await Nodes.BeatAsync(Server, node);
                }

                break;
            case 2:
                foreach (var pod in (string[])["nf-0", "nf-1", "tolerant"]) await RunningAsync(pod);
                break;
            case 4:
                await UntilAsync(async () => (string?)Nodes.Ready(await Server.GetAsync("/api/v1/nodes/f1"))["status"] == "Unknown");
                break;
            case 6:
                await UntilAsync(async () => (await Server.GetAsync($"{Pods}/nf-0"))["metadata"]!["deletionTimestamp"] is not null);
                break;
            case 7:
                await PassAsync(3);
                break;
            case 9:
                _uid = Uid(await Server.GetAsync($"{Pods}/nf-0"));
                Set("<uid>", "00000000-0000-0000-0000-000000000000");
                break;
            case 10:
                Set("<uid>", _uid);
                break;
            case 13:
                await PassAsync(25);
                break;
            case 14:
                await Server.MergeAsync("/api/v1/nodes/f1", """{"spec":{"taints":null}}""");
                await Nodes.ReturnAsync(Server, "f1");
                await UntilAsync(async () => (await Server.GetAsync("/api/v1/nodes/f1"))["spec"]!["taints"] is null);
                break;
            case 15:
                await UntilAsync(async () => (await Server.GetAsync($"{Pods}/nf-0"))["spec"]!["nodeName"] is not null);
                break;
            case 19:
                await UntilAsync(async () => (await Server.GetAsync($"{Pods}/gated"))["spec"]!["nodeName"] is not null);
                break;
            case 21:
                await PassAsync(65);
                break;
        }
    }

    // f2 lives on throughout.
    private Task PassAsync(int seconds) => Server.PassAsync(seconds, () => Nodes.BeatAsync(Server, "f2"));

    private async Task UntilAsync(Func<Task<bool>> reached)
    {
        for (var second = 0; second < 60 && !await reached(); second++) await PassAsync(1);
    }

    private Task<JsonNode> RunningAsync(string pod) => Server.StrategicAsync(
        $"{Pods}/{pod}/status",
        $$$"""{"status":{"phase":"Running","podIP":"127.9.0.1","conditions":[{"type":"Ready","status":"True","lastTransitionTime":"{{{Nodes.Now(Server)}}}"}]}}""");
}

/// <summary>Nodes as the recorder played them.</summary>
internal static class Nodes
{
    public static Task RegisterAsync(ReplayServer server, string name, string labels, int gpus)
    {
        var capacity = $$$"""{"cpu":"96","memory":"900Gi","pods":"110","nvidia.com/gpu":"{{{gpus}}}"}""";
        return server.DoAsync("POST", "/api/v1/nodes", $$$"""
            {"apiVersion":"v1","kind":"Node","metadata":{"name":"{{{name}}}","labels":{{{labels}}}},"status":{"capacity":{{{capacity}}},"allocatable":{{{capacity}}},
             "conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","lastHeartbeatTime":"{{{Now(server)}}}","lastTransitionTime":"{{{Now(server)}}}"}]}}
            """);
    }

    public static async Task BeatAsync(ReplayServer server, string name)
    {
        // A heartbeat in the second of the last one would change nothing, and so record nothing.
        if ((string?)Ready(await server.GetAsync($"/api/v1/nodes/{name}"))["lastHeartbeatTime"] == Now(server)) await server.PassAsync(1);
        await server.StrategicAsync($"/api/v1/nodes/{name}/status", $$$"""{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","lastHeartbeatTime":"{{{Now(server)}}}"}]}}""");
    }

    public static Task ReturnAsync(ReplayServer server, string name) => server.StrategicAsync(
        $"/api/v1/nodes/{name}/status",
        $$$"""{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","lastHeartbeatTime":"{{{Now(server)}}}","lastTransitionTime":"{{{Now(server)}}}"}]}}""");

    public static JsonNode Ready(JsonNode node) => node["status"]!["conditions"]!.AsArray().First(c => (string)c!["type"]! == "Ready")!;

    public static string Now(ReplayServer server) => server.Clock.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
