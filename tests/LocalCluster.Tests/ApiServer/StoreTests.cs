using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Selectors;
using Opt.LocalCluster.ApiServer.Storage;
using Opt.Testing;
using Xunit;

namespace Opt.LocalCluster.Tests.ApiServer;

public sealed class StoreTests : IAsyncLifetime
{
    private static readonly Caller Me = new("admin", "tests", ["system:masters"]);
    private EmbeddedApiServer _server = null!;

    private ApiContext Context => _server.Context;

    private ResourceKind ConfigMaps => Context.Kinds.Find("", "v1", "configmaps")!;

    public async ValueTask InitializeAsync() => _server = await EmbeddedApiServer.StartAsync(new ApiServerOptions { Clock = new VirtualTime(), Seed = 1 }, CancellationToken.None);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Pages_of_a_list_are_of_one_moment_whatever_changes_in_between()
    {
        await NamespaceAsync("p");
        for (var i = 0; i < 9; i++) await CreateAsync("p", $"m{i}");
        var first = Reader.List(Context, ConfigMaps, "p", Selection.All, limit: 4);
        await DeleteAsync("p", "m8");
        await CreateAsync("p", "m55");

        var rest = new List<string>();
        for (var token = first.Continue; token is not null;)
        {
            var page = Reader.List(Context, ConfigMaps, "p", Selection.All, limit: 4, token);
            rest.AddRange(page.Items.Select(i => i.Name));
            token = page.Continue;
        }

        Assert.Equal(["kube-root-ca.crt", "m0", "m1", "m2"], first.Items.Select(i => i.Name));
        Assert.Equal(["m3", "m4", "m5", "m6", "m7", "m8"], rest);
    }

    [Fact]
    public async Task A_continued_list_whose_moment_is_compacted_is_410()
    {
        await NamespaceAsync("p");
        for (var i = 0; i < 5; i++) await CreateAsync("p", $"m{i}");
        var first = Reader.List(Context, ConfigMaps, "p", Selection.All, limit: 2);
        await CreateAsync("p", "m9");
        Context.Store.Compact(Context.Store.Revision);

        Assert.Equal(410, Assert.Throws<ApiException>(() => Reader.List(Context, ConfigMaps, "p", Selection.All, limit: 2, first.Continue)).Code);
    }

    [Fact]
    public async Task History_is_bounded_by_bytes_and_a_watch_that_falls_behind_is_told_so()
    {
        var store = new ObjectStore(new StoreOptions { HistoryBytesPerResource = 10_000 });
        for (var i = 0; i < 200; i++) store.TryCreate("/things", new JsonObject { ["metadata"] = new JsonObject { ["name"] = $"n{i}" }, ["padding"] = new string('x', 200) }, []);

        Assert.Throws<CompactedException>(() => store.Read("/things", 1));
        Assert.InRange(store.Read("/things", 190).Events.Length, 10, 10);
        await Task.CompletedTask;
    }

    [Fact]
    public async Task Namespaces_do_not_leak_into_each_other_by_their_names()
    {
        foreach (var name in (string[])["a", "a-b", "ab"])
        {
            await NamespaceAsync(name);
            await CreateAsync(name, "x");
        }

        Assert.All(Reader.List(Context, ConfigMaps, "a", Selection.All).Items, i => Assert.Equal("a", i.Namespace));
        Assert.Equal(2, Reader.List(Context, ConfigMaps, "a", Selection.All).Items.Count);
    }

    [Fact]
    public async Task Concurrent_patches_all_land()
    {
        await CreateAsync("default", "shared");
        await Task.WhenAll(Enumerable.Range(0, 8).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; i < 25; i++)
            {
                await _server.Api.PatchAsync(ConfigMaps.Id, "default", "shared", PatchKind.Merge, JsonNode.Parse($$$"""{"data":{"w{{{writer}}}-{{{i}}}":"x"}}""")!, Me, CancellationToken.None);
            }
        })));

        var item = await _server.Api.GetAsync(ConfigMaps.Id, "default", "shared", CancellationToken.None);
        Assert.Equal(201, item["data"]!.AsObject().Count);
    }

    private Task<JsonObject> NamespaceAsync(string name) => _server.Api.CreateAsync(new ResourceId("", "v1", "namespaces"), null, Named(name), Me, CancellationToken.None);

    private Task<JsonObject> CreateAsync(string @namespace, string name)
    {
        var body = Named(name);
        body["data"] = new JsonObject { ["k"] = "v" };
        return _server.Api.CreateAsync(ConfigMaps.Id, @namespace, body, Me, CancellationToken.None);
    }

    private Task<JsonObject> DeleteAsync(string @namespace, string name) => _server.Api.DeleteAsync(ConfigMaps.Id, @namespace, name, null, Me, CancellationToken.None);

    private static JsonObject Named(string name) => new() { ["metadata"] = new JsonObject { ["name"] = name } };
}
