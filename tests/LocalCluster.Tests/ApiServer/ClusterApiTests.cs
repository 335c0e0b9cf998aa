using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.Testing;
using Xunit;

namespace Opt.LocalCluster.Tests.ApiServer;

public sealed class ClusterApiTests : IAsyncLifetime
{
    private static readonly ResourceId ConfigMaps = new("", "v1", "configmaps");
    private static readonly Caller Me = new("admin", "tests", ["system:masters"]);
    private EmbeddedApiServer _server = null!;

    private IClusterApi Api => _server.Api;

    public async ValueTask InitializeAsync() => _server = await EmbeddedApiServer.StartAsync(new ApiServerOptions { Clock = new VirtualTime(), Seed = 1 }, CancellationToken.None);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Replacing_with_a_stale_resourceVersion_is_a_409_conflict()
    {
        var first = await CreateAsync("a");
        await Api.UpdateAsync(ConfigMaps, "default", "a", With(first, "k", "2"), Me, CancellationToken.None);

        var refused = await Assert.ThrowsAsync<ApiException>(() => Api.UpdateAsync(ConfigMaps, "default", "a", With(first, "k", "3"), Me, CancellationToken.None));

        Assert.Equal((409, "Conflict"), (refused.Code, refused.Reason));
    }

    [Fact]
    public async Task A_taken_name_is_a_409_already_exists()
    {
        await CreateAsync("a");

        var refused = await Assert.ThrowsAsync<ApiException>(() => CreateAsync("a"));

        Assert.Equal((409, "AlreadyExists"), (refused.Code, refused.Reason));
    }

    [Fact]
    public async Task Finalizers_hold_a_deletion_until_the_last_one_is_removed()
    {
        await CreateAsync("a", """{"finalizers":["example.com/hold"]}""");
        await Api.DeleteAsync(ConfigMaps, "default", "a", null, Me, CancellationToken.None);
        var held = await Api.GetAsync(ConfigMaps, "default", "a", CancellationToken.None);
        Assert.NotNull(held["metadata"]!["deletionTimestamp"]);

        await Api.PatchAsync(ConfigMaps, "default", "a", PatchKind.Merge, JsonNode.Parse("""{"metadata":{"finalizers":null}}""")!, Me, CancellationToken.None);

        var gone = await Assert.ThrowsAsync<ApiException>(() => Api.GetAsync(ConfigMaps, "default", "a", CancellationToken.None));
        Assert.Equal(404, gone.Code);
    }

    [Fact]
    public async Task A_watch_resumes_after_the_version_it_is_given_and_sees_every_later_change_once()
    {
        var first = await CreateAsync("a");
        await CreateAsync("b");
        await Api.DeleteAsync(ConfigMaps, "default", "a", null, Me, CancellationToken.None);

        var seen = new List<string>();
        await foreach (var change in Api.WatchAsync(ConfigMaps, "default", (string)first["metadata"]!["resourceVersion"]!, ListQuery.All, CancellationToken.None))
        {
            seen.Add($"{change.Type} {change.Object["metadata"]!["name"]}");
            if (seen.Count == 2) break;
        }

        Assert.Equal(["ADDED b", "DELETED a"], seen);
    }

    [Fact]
    public async Task A_pod_gets_the_defaults_of_a_real_server()
    {
        var pod = await Api.CreateAsync(ResourceId.Pods, "default", Parse("""{"metadata":{"generateName":"p-"},"spec":{"containers":[{"name":"c","image":"example.com/c:1"}]}}"""), Me, CancellationToken.None);

        Assert.Matches("^p-[a-z0-9]{5}$", (string)pod["metadata"]!["name"]!);
        Assert.Equal(30, (int)pod["spec"]!["terminationGracePeriodSeconds"]!);
        Assert.Equal("IfNotPresent", (string)pod["spec"]!["containers"]![0]!["imagePullPolicy"]!);
        Assert.Equal("Pending", (string)pod["status"]!["phase"]!);
    }

    [Fact]
    public async Task A_deleted_namespace_goes_once_it_is_empty()
    {
        var namespaces = new ResourceId("", "v1", "namespaces");
        await Api.CreateAsync(namespaces, null, Parse("""{"metadata":{"name":"temporary"}}"""), Me, CancellationToken.None);

        var watch = Api.WatchAsync(namespaces, null, null, ListQuery.All, CancellationToken.None);
        await Api.DeleteAsync(namespaces, null, "temporary", null, Me, CancellationToken.None);

        await foreach (var change in watch)
        {
            if (change.Type == "DELETED" && (string)change.Object["metadata"]!["name"]! == "temporary") return;
            if (change.Type == "ADDED" && (await Api.ListAsync(namespaces, null, ListQuery.All, CancellationToken.None))["items"]!.AsArray().All(n => (string)n!["metadata"]!["name"]! != "temporary")) return;
        }
    }

    private Task<JsonObject> CreateAsync(string name, string metadata = "{}")
    {
        var body = new JsonObject { ["metadata"] = JsonNode.Parse(metadata), ["data"] = new JsonObject { ["k"] = "1" } };
        body["metadata"]!["name"] = name;
        return Api.CreateAsync(ConfigMaps, "default", body, Me, CancellationToken.None);
    }

    private static JsonObject With(JsonObject item, string key, string value)
    {
        var copy = (JsonObject)item.DeepClone();
        copy["data"]![key] = value;
        return copy;
    }

    private static JsonObject Parse(string text) => (JsonObject)JsonNode.Parse(text)!;
}
