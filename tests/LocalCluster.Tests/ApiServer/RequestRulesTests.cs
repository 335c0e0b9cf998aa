using System.Text.Json.Nodes;
using Opt.LocalCluster.Tests.ApiServer.Replay;

namespace Opt.LocalCluster.Tests.ApiServer;

/// <summary>Refusals of the real server that no transcript holds.</summary>
public sealed class RequestRulesTests
{
    private const string Maps = "/api/v1/namespaces/default/configmaps";
    private const string Pods = "/api/v1/namespaces/default/pods";
    private const string Rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";

    [Theory]
    [InlineData("GET", Maps + "?resourceVersionMatch=Exact", null, 422, "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided")]
    [InlineData("GET", Maps + "?resourceVersionMatch=Exact&resourceVersion=0", null, 422, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"")]
    [InlineData("GET", "/api/v1/namespaces/default/nodes", null, 404, "the server could not find the requested resource")]
    [InlineData("DELETE", "/api/v1/pods", null, 405, "the server does not allow this method on the requested resource")]
    [InlineData("POST", "/api/v1/pods", """{"metadata":{"name":"p"}}""", 405, "the server does not allow this method on the requested resource")]
    [InlineData("POST", Pods, """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i","livenessProbe":{"exec":{"command":["x"]},"periodSeconds":-1}}]}}""", 422, "spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0")]
    [InlineData("POST", Pods, """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}],"tolerations":[{"key":"a","operator":"Foo"}]}}""", 422, "spec.tolerations[0].operator: Unsupported value: \"Foo\": supported values: \"Equal\", \"Exists\"")]
    [InlineData("POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", """{"metadata":{"name":"b"},"spec":{"minAvailable":1,"maxUnavailable":1}}""", 422, "minAvailable and maxUnavailable cannot be both set")]
    [InlineData("POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", """{"metadata":{"name":"b"},"spec":{"minAvailable":"some"}}""", 422, "spec.minAvailable: Invalid value: \"some\": a valid percent string must be a numeric string followed by an ending '%'")]
    [InlineData("POST", Rbac + "/roles", """{"metadata":{"name":"r"},"rules":[{"apiGroups":[""],"resources":["pods"]}]}""", 422, "rules[0].verbs: Required value: verbs must contain at least one value")]
    [InlineData("POST", Maps + "?fieldManager=" + LongName, """{"metadata":{"name":"m"}}""", 422, "fieldManager: Too long: may not be more than 128 bytes")]
    public async Task A_request_is_refused_in_the_real_servers_words(string method, string path, string? body, int status, string message)
    {
        await using var server = await ReplayServer.StartAsync();

        var (code, _, answer) = await server.SendAsync(server.Admin, method, path, body, body is null ? null : "application/json");

        Assert.Equal(status, code);
        Assert.Contains(message, (string)JsonNode.Parse(answer)!["message"]!, StringComparison.Ordinal);
    }

    private const string LongName = "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm";

    [Fact]
    public async Task A_list_of_exactly_one_moment_shows_that_moment()
    {
        await using var server = await ReplayServer.StartAsync();
        await server.DoAsync("POST", Maps, """{"metadata":{"name":"one"}}""");
        var version = (string)(await server.GetAsync(Maps))["metadata"]!["resourceVersion"]!;
        await server.DoAsync("POST", Maps, """{"metadata":{"name":"two"}}""");

        var then = await server.GetAsync($"{Maps}?resourceVersion={version}&resourceVersionMatch=Exact");

        Assert.DoesNotContain(then["items"]!.AsArray(), i => (string)i!["metadata"]!["name"]! == "two");
        Assert.Equal(version, (string)then["metadata"]!["resourceVersion"]!);
    }

    [Fact]
    public async Task A_changed_creation_time_is_ignored_and_a_bound_role_cannot_be_changed()
    {
        await using var server = await ReplayServer.StartAsync();
        var made = await server.DoAsync("POST", Maps, """{"metadata":{"name":"m"},"data":{"a":"1"}}""");
        var created = (string)made["metadata"]!["creationTimestamp"]!;
        made["metadata"]!["creationTimestamp"] = "2001-01-01T00:00:00Z";
        made["data"]!["a"] = "2";
        var updated = await server.DoAsync("PUT", $"{Maps}/m", made.ToJsonString());
        Assert.Equal((created, "2"), ((string)updated["metadata"]!["creationTimestamp"]!, (string)updated["data"]!["a"]!));

        await server.DoAsync("POST", $"{Rbac}/rolebindings", """{"metadata":{"name":"b"},"roleRef":{"kind":"Role","name":"one"}}""");
        var (code, _, answer) = await server.SendAsync(server.Admin, "PATCH", $"{Rbac}/rolebindings/b", """{"roleRef":{"name":"two"}}""", "application/merge-patch+json");
        Assert.Equal(422, code);
        Assert.Contains("cannot change roleRef", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dry_eviction_leaves_the_pod()
    {
        await using var server = await ReplayServer.StartAsync();
        await server.DoAsync("POST", Pods, """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}""");

        await server.DoAsync("POST", $"{Pods}/p/eviction", """{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"},"deleteOptions":{"dryRun":["All"]}}""");

        Assert.Null((await server.GetAsync($"{Pods}/p"))["metadata"]!["deletionTimestamp"]);
    }
}
