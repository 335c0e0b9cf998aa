using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Apply;
using Opt.Testing;
using Xunit;

namespace Opt.LocalCluster.Tests.ApiServer;

public sealed class ApplyTests : IAsyncLifetime
{
    private static readonly ResourceId StatefulSets = ResourceId.StatefulSets;
    private static readonly ResourceId Services = new("", "v1", "services");
    private EmbeddedApiServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await EmbeddedApiServer.StartAsync(new ApiServerOptions { Clock = new VirtualTime(), Seed = 1 }, CancellationToken.None);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Applying_the_same_again_writes_nothing()
    {
        var first = await ApplyAsync(StatefulSets, "web", Set("c:1"), "one");
        var second = await ApplyAsync(StatefulSets, "web", Set("c:1"), "one");

        Assert.Equal(first.ToJsonString(), second.ToJsonString());
    }

    [Fact]
    public async Task List_items_merge_by_key_and_an_item_leaves_with_its_only_owner()
    {
        await ApplyAsync(Services, "s", """{"spec":{"selector":{"a":"b"},"ports":[{"name":"x","port":80}]}}""", "one");
        var both = await ApplyAsync(Services, "s", """{"spec":{"ports":[{"name":"y","port":81}]}}""", "two");
        var left = await ApplyAsync(Services, "s", """{"spec":{}}""", "two");

        Assert.Equal([80, 81], both["spec"]!["ports"]!.AsArray().Select(p => (int)p!["port"]!));
        Assert.Equal([80], left["spec"]!["ports"]!.AsArray().Select(p => (int)p!["port"]!));
    }

    [Fact]
    public async Task A_key_field_that_is_left_out_takes_its_default()
    {
        await ApplyAsync(Services, "s", """{"spec":{"ports":[{"name":"x","port":80,"protocol":"TCP"}]}}""", "one");
        var same = await ApplyAsync(Services, "s", """{"spec":{"ports":[{"name":"x","port":80}]}}""", "two");

        Assert.Single(same["spec"]!["ports"]!.AsArray());
    }

    [Fact]
    public async Task What_an_update_set_conflicts_until_forced()
    {
        await ApplyAsync(StatefulSets, "web", Set("c:1"), "one");
        await _server.Api.PatchAsync(StatefulSets, "default", "web", PatchKind.Merge, JsonNode.Parse("""{"spec":{"replicas":5}}""")!, Caller("hand"), CancellationToken.None);

        var refused = await Assert.ThrowsAsync<ApiException>(() => ApplyAsync(StatefulSets, "web", Set("c:1"), "one"));
        var forced = await ApplyAsync(StatefulSets, "web", Set("c:1"), "one", force: true);

        Assert.Equal("""Apply failed with 1 conflict: conflict with "hand" using apps/v1: .spec.replicas""", refused.Message);
        Assert.Equal(1, (int)forced["spec"]!["replicas"]!);
        Assert.DoesNotContain(forced["metadata"]!["managedFields"]!.AsArray(), m => (string)m!["manager"]! == "hand");
    }

    [Fact]
    public async Task A_field_that_two_apply_stays_until_both_drop_it()
    {
        await ApplyAsync(StatefulSets, "web", Set("c:1"), "one");
        await ApplyAsync(StatefulSets, "web", """{"metadata":{"labels":{"shared":"1"}}}""", "two");
        await ApplyAsync(StatefulSets, "web", """{"metadata":{"labels":{"shared":"1"}}}""", "three");

        var kept = await ApplyAsync(StatefulSets, "web", "{}", "two");
        var gone = await ApplyAsync(StatefulSets, "web", "{}", "three");

        Assert.Equal("1", (string?)kept["metadata"]!["labels"]!["shared"]);
        Assert.Null(gone["metadata"]!["labels"]);
    }

    [Fact]
    public async Task An_unknown_field_is_refused_by_name()
    {
        var refused = await Assert.ThrowsAsync<ApiException>(() => ApplyAsync(StatefulSets, "web", """{"spec":{"replica":1}}""", "one"));

        Assert.Contains(".spec.replica: field not declared in schema", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Field_sets_obey_the_laws_of_sets()
    {
        var sets = Arb.From(Gens.Json("f:a", "f:b", """k:{"n":1}""", ".").Generator.Select(j => FieldSet.FromJson(j.Node)));
        Prop.ForAll(sets, sets, (a, b) =>
            a.Union(b).Except(b).SetEquals(a.Except(b)) && a.Intersect(b).SetEquals(b.Intersect(a)) && a.Union(b).SetEquals(b.Union(a))
            && a.Except(b).Union(a.Intersect(b)).SetEquals(a) && FieldSet.FromJson(a.ToJson()).SetEquals(a)).QuickCheckThrowOnFailure();
    }

    private Task<JsonObject> ApplyAsync(ResourceId resource, string name, string text, string manager, bool force = false)
    {
        var body = (JsonObject)JsonNode.Parse(text)!;
        body["apiVersion"] = resource.Group.Length == 0 ? resource.Version : $"{resource.Group}/{resource.Version}";
        body["kind"] = resource.Plural == "services" ? "Service" : "StatefulSet";
        body["metadata"] ??= new JsonObject();
        body["metadata"]!["name"] = name;
        return _server.Api.PatchAsync(resource, "default", name, PatchKind.Apply, body, Caller(manager), CancellationToken.None, force: force);
    }

    private static Caller Caller(string manager) => new("admin", manager, ["system:masters"]);

    private static string Set(string image) => $$$"""
        {"spec":{"replicas":1,"serviceName":"web","selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"{{{image}}}"} ] } } } }
        """;
}
