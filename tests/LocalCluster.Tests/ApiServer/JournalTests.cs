using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Storage;
using Opt.Testing;
using Xunit;

namespace Opt.LocalCluster.Tests.ApiServer;

public sealed class JournalTests : IDisposable
{
    private static readonly ResourceId ConfigMaps = new("", "v1", "configmaps");
    private static readonly Caller Me = new("admin", "tests", ["system:masters"]);
    private readonly string _directory = Directory.CreateTempSubdirectory("opt-journal-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_restarted_server_has_every_object_at_its_version_and_goes_on_from_there()
    {
        JsonObject kept;
        await using (var server = await StartAsync())
        {
            await CreateAsync(server, "gone");
            await CreateAsync(server, "a");
            kept = await server.Api.PatchAsync(ConfigMaps, "default", "a", PatchKind.Merge, JsonNode.Parse("""{"data":{"k":"2"}}""")!, Me, CancellationToken.None);
            await server.Api.DeleteAsync(ConfigMaps, "default", "gone", null, Me, CancellationToken.None);
        }

        await using var again = await StartAsync();
        var found = await again.Api.GetAsync(ConfigMaps, "default", "a", CancellationToken.None);
        Assert.Equal(kept.ToJsonString(), found.ToJsonString());
        Assert.Equal(404, (await Assert.ThrowsAsync<ApiException>(() => again.Api.GetAsync(ConfigMaps, "default", "gone", CancellationToken.None))).Code);
        Assert.True(Version(await CreateAsync(again, "b")) > Version(kept));
    }

    [Fact]
    public async Task Versions_from_before_a_restart_are_gone_for_watches()
    {
        JsonObject first;
        await using (var server = await StartAsync())
        {
            first = await CreateAsync(server, "a");
            await CreateAsync(server, "b");
        }

        await using var again = await StartAsync();
        await using var watch = again.Api.WatchAsync(ConfigMaps, "default", (string)first["metadata"]!["resourceVersion"]!, ListQuery.All, CancellationToken.None).GetAsyncEnumerator();
        Assert.Equal(410, (await Assert.ThrowsAsync<ApiException>(async () => await watch.MoveNextAsync())).Code);
    }

    [Fact]
    public async Task A_torn_last_line_is_a_commit_that_never_was()
    {
        await using (var server = await StartAsync()) await CreateAsync(server, "a");
        var log = Path.Combine(_directory, "log.jsonl");
        var whole = await File.ReadAllBytesAsync(log);
        await File.WriteAllBytesAsync(log, whole[..^10]);

        await using (var again = await StartAsync()) await CreateAsync(again, "b");
        await using var last = await StartAsync();
        Assert.NotNull(await last.Api.GetAsync(ConfigMaps, "default", "b", CancellationToken.None));
    }

    [Fact]
    public async Task A_damaged_line_in_the_middle_is_refused()
    {
        await using (var server = await StartAsync()) await CreateAsync(server, "a");
        var log = Path.Combine(_directory, "log.jsonl");
        var lines = await File.ReadAllLinesAsync(log);
        lines[2] = lines[2][..20];
        await File.WriteAllLinesAsync(log, lines);

        Assert.Contains("damaged", (await Assert.ThrowsAsync<IOException>(StartAsync)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_directory_serves_one_process()
    {
        await using var server = await StartAsync();

        Assert.Contains("in use", (await Assert.ThrowsAsync<IOException>(StartAsync)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_rotated_journal_holds_what_the_log_held()
    {
        var store = new ObjectStore(new StoreOptions());
        var (journal, revision, _) = Journal.Open(_directory, rotateAt: 2000);
        store.Restore(journal, [], revision);
        for (var i = 0; i < 100; i++) store.TryCreate("/things", new JsonObject { ["metadata"] = new JsonObject { ["name"] = $"n{i}" }, ["padding"] = new string('x', 100) }, []);
        for (var i = 0; i < 50; i++) store.TryRemove("/things", store.Get("/things", "", $"n{i}")!, store.Get("/things", "", $"n{i}")!.ToTree(), []);
        journal.Dispose();

        var (again, last, objects) = Journal.Open(_directory);
        again.Dispose();
        Assert.Equal(150, last);
        Assert.Equal(Enumerable.Range(50, 50).Select(i => $"n{i}").Order(StringComparer.Ordinal), objects.Select(o => (string)o.Tree["metadata"]!["name"]!).Order(StringComparer.Ordinal));
        Assert.True(new FileInfo(Path.Combine(_directory, "log.jsonl")).Length < 4000);
    }

    private Task<EmbeddedApiServer> StartAsync() => EmbeddedApiServer.StartAsync(new ApiServerOptions { Clock = new VirtualTime(), DataDirectory = _directory }, CancellationToken.None);

    private static Task<JsonObject> CreateAsync(EmbeddedApiServer server, string name) =>
        server.Api.CreateAsync(ConfigMaps, "default", (JsonObject)JsonNode.Parse($$$"""{"metadata":{"name":"{{{name}}}"},"data":{"k":"1"}}""")!, Me, CancellationToken.None);

    private static long Version(JsonObject item) => long.Parse((string)item["metadata"]!["resourceVersion"]!, System.Globalization.CultureInfo.InvariantCulture);
}
