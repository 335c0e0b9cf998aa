using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Xunit;

namespace Opt.Kubernetes.Tests;

/// <summary>
/// What the runtime relies on in an API server, through the client and over real HTTPS. <c>OPT_CONTRACT_KUBECONFIG</c> runs the same tests
/// against any other server, in a namespace of their own.
/// </summary>
public sealed class ApiContractTests : IAsyncLifetime
{
    private Cluster? _cluster;
    private KubernetesClient _client = null!;
    private string _namespace = null!;

    private ResourceClient<V1ConfigMap> Maps => _client.Resource(Resources.ConfigMaps);

    public async ValueTask InitializeAsync()
    {
        var options = new KubernetesClientOptions { FieldManager = "tester", QueriesPerSecond = 500, Burst = 500 };
        if (Environment.GetEnvironmentVariable("OPT_CONTRACT_KUBECONFIG") is { Length: > 0 } other)
        {
            _client = new(KubernetesClientConfiguration.BuildConfigFromConfigFile([other]), options);
        }
        else
        {
            _cluster = await Cluster.StartAsync(serverOptions: new ApiServerOptions { Store = new() { HistoryBytesPerResource = 32 << 10 } });
            _client = _cluster.Connect(options);
        }

        _namespace = $"contract-{Guid.NewGuid():n}";
        await _client.Resource(Resources.Namespaces).CreateAsync(new() { Metadata = new() { Name = _namespace } }, default);
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is null) await _client.Resource(Resources.Namespaces).DeleteAsync(ObjectKey.Cluster(_namespace), null, default);
        _client.Dispose();
        if (_cluster is not null) await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task Replacing_with_a_stale_version_is_a_409_Conflict()
    {
        var first = await CreateAsync("a");
        await Maps.ReplaceAsync(first with { Data = Data("1") }, default);
        var refused = await Assert.ThrowsAsync<KubernetesException>(() => Maps.ReplaceAsync(first with { Data = Data("2") }, default));
        Assert.Equal((409, "Conflict", true), (refused.Code, refused.Reason, refused.IsConflict));
    }

    [Fact]
    public async Task Creating_twice_is_a_409_AlreadyExists()
    {
        await CreateAsync("a");
        var refused = await Assert.ThrowsAsync<KubernetesException>(() => CreateAsync("a"));
        Assert.Equal((409, "AlreadyExists", true, false), (refused.Code, refused.Reason, refused.IsAlreadyExists, refused.IsConflict));
    }

    [Fact]
    public async Task What_is_not_there_is_a_404()
    {
        Assert.Null(await Maps.FindAsync(Key("nothing"), default));
        Assert.True((await Assert.ThrowsAsync<KubernetesException>(() => Maps.DeleteAsync(Key("nothing"), null, default))).IsNotFound);
    }

    [Fact]
    public async Task An_invalid_object_is_a_422_that_names_the_field()
    {
        var refused = await Assert.ThrowsAsync<KubernetesException>(() => CreateAsync("Not_A_Name"));
        Assert.Equal((422, "Invalid"), (refused.Code, refused.Reason));
        Assert.Equal("metadata.name", refused.Status.Details?.Causes?[0].Field);
    }

    [Fact]
    public async Task A_generated_name_starts_with_its_prefix()
    {
        var one = await Maps.CreateAsync(new() { Metadata = new() { GenerateName = "g-", Namespace = _namespace } }, default);
        var two = await Maps.CreateAsync(new() { Metadata = new() { GenerateName = "g-", Namespace = _namespace } }, default);
        Assert.StartsWith("g-", one.Metadata.Name, StringComparison.Ordinal);
        Assert.NotEqual(one.Metadata.Name, two.Metadata.Name);
    }

    [Fact]
    public async Task An_immutable_config_map_cannot_be_changed()
    {
        var made = await Maps.CreateAsync(new() { Metadata = new() { Name = "a", Namespace = _namespace }, Data = Data("1"), Immutable = true }, default);
        Assert.True((await Assert.ThrowsAsync<KubernetesException>(() => Maps.ReplaceAsync(made with { Data = Data("2") }, default))).IsInvalid);
    }

    [Fact]
    public async Task Deleting_with_another_uid_or_version_is_a_409()
    {
        var made = await CreateAsync("a");
        Assert.True((await Assert.ThrowsAsync<KubernetesException>(() => Maps.DeleteAsync(Key("a"), new() { Preconditions = new() { Uid = "other" } }, default))).IsConflict);
        Assert.True((await Assert.ThrowsAsync<KubernetesException>(() => Maps.DeleteAsync(Key("a"), new() { Preconditions = new() { ResourceVersion = "1" } }, default))).IsConflict);
        await Maps.DeleteAsync(Key("a"), new() { Preconditions = new() { Uid = made.Metadata.Uid, ResourceVersion = made.Metadata.ResourceVersion } }, default);
        Assert.Null(await Maps.FindAsync(Key("a"), default));
    }

    [Fact]
    public async Task A_finalizer_holds_the_deletion_until_it_is_removed()
    {
        var made = await Maps.CreateAsync(new() { Metadata = new() { Name = "a", Namespace = _namespace, Finalizers = ["example.com/hold"] } }, default);
        await Maps.DeleteAsync(Key("a"), null, default);
        var held = await Maps.GetAsync(Key("a"), default);
        Assert.NotNull(held.Metadata.DeletionTimestamp);

        await Maps.PatchAsync(Key("a"), Patch.Json(JsonPatchOperation.Test("/metadata/uid", made.Metadata.Uid), JsonPatchOperation.Remove("/metadata/finalizers/0")), default);
        Assert.Null(await Maps.FindAsync(Key("a"), default));
    }

    [Fact]
    public async Task A_JSON_patch_whose_test_fails_changes_nothing()
    {
        var made = await CreateAsync("a");
        var refused = await Assert.ThrowsAsync<KubernetesException>(() => Maps.PatchAsync(Key("a"), Patch.Json(
            JsonPatchOperation.Test("/metadata/uid", "other"), JsonPatchOperation.Add("/data", new JsonObject { ["k"] = "2" })), default));
        Assert.True(refused.IsInvalid);
        Assert.Equal(made.Metadata.ResourceVersion, (await Maps.GetAsync(Key("a"), default)).Metadata.ResourceVersion);
    }

    [Fact]
    public async Task A_merge_patch_removes_what_is_null_and_a_strategic_one_merges_lists_by_key()
    {
        await CreateAsync("a");
        var patched = await Maps.PatchAsync(Key("a"), Patch.Merge(new JsonObject { ["data"] = new JsonObject { ["k"] = null, ["n"] = "1" } }), default);
        Assert.Equal(["n"], patched.Data!.Keys);

        var services = _client.Resource(Resources.Services);
        await services.CreateAsync(new() { Metadata = new() { Name = "s", Namespace = _namespace }, Spec = new() { ClusterIP = "None", Ports = [new() { Name = "a", Port = 1 }, new() { Name = "b", Port = 2 }] } }, default);
        var merged = await services.PatchAsync(Key("s"), Patch.StrategicMerge(new JsonObject
        {
            ["spec"] = new JsonObject { ["ports"] = new JsonArray(new JsonObject { ["port"] = 2, ["name"] = "renamed" }) },
        }), default);
        Assert.Equal(["a:1", "renamed:2"], merged.Spec!.Ports!.Select(p => $"{p.Name}:{p.Port}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Server_side_apply_owns_fields_conflicts_with_other_owners_and_takes_them_by_force()
    {
        await Maps.ApplyAsync(Map("a", ("x", "1"), ("y", "1")), force: false, default, new() { FieldManager = "one" });
        var conflict = await Assert.ThrowsAsync<KubernetesException>(() => Maps.ApplyAsync(Map("a", ("x", "2")), force: false, default, new() { FieldManager = "two" }));
        Assert.True(conflict.IsConflict);
        Assert.True(conflict.HasCause("FieldManagerConflict"));

        await Maps.ApplyAsync(Map("a", ("x", "2")), force: true, default, new() { FieldManager = "two" });
        var left = await Maps.ApplyAsync(Map("a", ("z", "1")), force: false, default, new() { FieldManager = "one" });   // gives up y; x is no longer its own
        Assert.Equal(["x=2", "z=1"], left.Data!.Select(d => $"{d.Key}={d.Value}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Applying_the_same_again_writes_nothing()
    {
        var first = await Maps.ApplyAsync(Map("a", ("x", "1")), force: true, default);
        var second = await Maps.ApplyAsync(Map("a", ("x", "1")), force: true, default);
        Assert.Equal(first.Metadata.ResourceVersion, second.Metadata.ResourceVersion);
    }

    [Fact]
    public async Task A_dry_run_stores_nothing_and_strict_validation_names_a_typo()
    {
        Assert.Empty((await Maps.DryRunCreateAsync(Map("a", ("x", "1")), default)).Faults);
        Assert.Null(await Maps.FindAsync(Key("a"), default));

        var typo = new V1ConfigMap { Metadata = new() { Name = "a", Namespace = _namespace }, UnknownFields = new() { ["dta"] = System.Text.Json.JsonDocument.Parse("{}").RootElement } };
        Assert.Contains("unknown field \"dta\"", Assert.Single((await Maps.DryRunCreateAsync(typo, default)).Faults), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_is_written_apart_from_the_rest()
    {
        var pods = _client.Resource(Resources.Pods);
        var made = await pods.CreateAsync(new() { Metadata = new() { Name = "p", Namespace = _namespace }, Spec = new() { Containers = [new() { Name = "c", Image = "i" }] } }, default);
        var written = await pods.ReplaceStatusAsync(made with { Status = (made.Status ?? new()) with { Message = "said" }, Spec = made.Spec! with { Hostname = "not-this" } }, default);
        Assert.Equal(("said", null), (written.Status?.Message, written.Spec?.Hostname));

        var replaced = await pods.ReplaceAsync(written with { Status = new() { Message = "nor this" } }, default);
        Assert.Equal("said", replaced.Status?.Message);
    }

    [Fact]
    public async Task A_scale_is_read_and_set_through_its_subresource()
    {
        var sets = _client.Resource(Resources.StatefulSets);
        var labels = new Dictionary<string, string> { ["app"] = "s" };
        await sets.CreateAsync(new()
        {
            Metadata = new() { Name = "s", Namespace = _namespace },
            Spec = new() { Replicas = 0, ServiceName = "s", Selector = new() { MatchLabels = labels }, Template = new() { Metadata = new() { Labels = labels }, Spec = new() { Containers = [new() { Name = "c", Image = "i" }] } } },
        }, default);

        var scaled = await sets.SetScaleAsync(Key("s"), 3, resourceVersion: null, default);

        Assert.Equal((3, 3), (scaled.Spec?.Replicas, (await sets.GetScaleAsync(Key("s"), default)).Spec?.Replicas));
        Assert.True((await Assert.ThrowsAsync<KubernetesException>(() => sets.SetScaleAsync(Key("s"), 4, resourceVersion: "1", default))).IsConflict);
    }

    [Fact]
    public async Task A_list_in_pages_is_one_state_and_versions_grow()
    {
        var versions = new List<ulong>();
        for (var i = 0; i < 7; i++) versions.Add(ulong.Parse((await CreateAsync($"m{i}")).Metadata.ResourceVersion!, System.Globalization.CultureInfo.InvariantCulture));
        var page = await Maps.ListPageAsync(_namespace, new() { PageSize = 3, FieldSelector = "metadata.name!=kube-root-ca.crt" }, default);
        await Maps.DeleteAsync(Key("m6"), null, default);
        var names = new List<string>(page.Items.Select(m => m.Metadata.Name!));
        while (!string.IsNullOrEmpty(page.Metadata.Continue))
        {
            page = await Maps.ListPageAsync(_namespace, new() { PageSize = 3, Continue = page.Metadata.Continue, FieldSelector = "metadata.name!=kube-root-ca.crt" }, default);
            names.AddRange(page.Items.Select(m => m.Metadata.Name!));
        }

        Assert.Equal(["m0", "m1", "m2", "m3", "m4", "m5", "m6"], names);
        Assert.Equal(versions.Order().Distinct(), versions);
    }

    [Fact]
    public async Task A_watch_resumes_after_a_version_and_tells_the_version_of_a_deletion()
    {
        var made = await CreateAsync("a");
        var changed = await Maps.PatchAsync(Key("a"), Patch.Merge(new JsonObject { ["data"] = new JsonObject { ["k"] = "2" } }), default);
        await Maps.DeleteAsync(Key("a"), null, default);
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var events = new List<WatchEvent<V1ConfigMap>>();
        await foreach (var e in Maps.WatchAsync(_namespace, new() { ResourceVersion = made.Metadata.ResourceVersion, FieldSelector = "metadata.name=a" }, stop.Token))
        {
            if (e.Type != WatchEventType.Bookmark) events.Add(e);
            if (events.Count == 2) break;
        }

        Assert.Equal([WatchEventType.Modified, WatchEventType.Deleted], events.Select(e => e.Type));
        Assert.Equal(changed.Metadata.ResourceVersion, events[0].ResourceVersion);
        Assert.True(ResourceVersions.Compare(events[1].ResourceVersion, events[0].ResourceVersion) > 0);
    }

    [Fact]
    public async Task A_streamed_list_ends_with_a_marked_bookmark()
    {
        await CreateAsync("a");
        await CreateAsync("b");
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var names = new List<string>();
        await foreach (var e in Maps.WatchAsync(_namespace, new() { SendInitialEvents = true, FieldSelector = "metadata.name!=kube-root-ca.crt" }, stop.Token))
        {
            if (e.EndsInitialEvents) break;
            names.Add(e.Object!.Metadata.Name!);
        }

        Assert.Equal(["a", "b"], names.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_version_the_server_has_forgotten_is_a_410()
    {
        if (_cluster is null) Assert.Skip("A foreign server forgets in its own time.");
        var made = await CreateAsync("a");
        for (var i = 0; i < 40; i++) await Maps.PatchAsync(Key("a"), Patch.Merge(new JsonObject { ["data"] = new JsonObject { ["k"] = $"{i}{new string('x', 2000)}" } }), default);
        var gone = await Assert.ThrowsAsync<KubernetesException>(async () =>
        {
            using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            await foreach (var e in Maps.WatchAsync(_namespace, new() { ResourceVersion = made.Metadata.ResourceVersion }, stop.Token)) Assert.Fail($"unexpected {e.Type}");
        });
        Assert.True(gone.IsGone);
    }

    [Fact]
    public async Task An_idle_informer_has_everything_that_was_written()
    {
        using var informer = new Informer<V1ConfigMap>(Maps, new() { Namespace = _namespace, PageSize = 2 });
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var running = informer.RunAsync(stop.Token);
        for (var i = 0; i < 5; i++) await CreateAsync($"m{i}");
        await Maps.DeleteAsync(Key("m0"), null, default);
        await informer.IdleAsync(stop.Token);
        Assert.Equal(["m1", "m2", "m3", "m4"], informer.Snapshot.Items.Select(m => m.Metadata.Name).Where(n => n != "kube-root-ca.crt"));
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task Leases_and_events_are_served_as_the_runtime_uses_them()
    {
        var elector = new LeaderElector(_client.Resource(Resources.Leases), new() { Lease = new(_namespace, "lock"), Identity = "me" });
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var led = false;
        await elector.RunAsync(_ =>
        {
            led = true;
            return Task.CompletedTask;
        }, stop.Token);
        Assert.True(led);
        Assert.Equal("", (await _client.Resource(Resources.Leases).GetAsync(new(_namespace, "lock"), default)).Spec?.HolderIdentity);

        var made = await CreateAsync("a");
        var recorder = new EventRecorder(_client.Resource(Resources.Events), "example.com/test", "me");
        using var stopEvents = new CancellationTokenSource();
        var recording = recorder.RunAsync(stopEvents.Token);
        for (var i = 0; i < 3; i++) recorder.Publish(Resources.ConfigMaps.ReferenceTo(made), EventType.Normal, "Tested", "Test", "it works");
        await stopEvents.CancelAsync();
        await recording;
        var e = Assert.Single((await _client.Resource(Resources.Events).ListAsync(_namespace, null, default)).Items, e => e.Reason == "Tested");
        Assert.Equal(("a", 3), (e.Regarding?.Name, e.Series?.Count));
    }

    private static Dictionary<string, string> Data(string value) => new() { ["k"] = value };

    private ObjectKey Key(string name) => new(_namespace, name);

    private V1ConfigMap Map(string name, params (string Key, string Value)[] data) =>
        new() { Metadata = new() { Name = name, Namespace = _namespace }, Data = data.ToDictionary(d => d.Key, d => d.Value) };

    private Task<V1ConfigMap> CreateAsync(string name) => Maps.CreateAsync(Map(name, ("k", "0")), default);
}
