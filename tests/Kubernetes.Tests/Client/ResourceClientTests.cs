using System.Text.Json.Nodes;
using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class ResourceClientTests
{
    private const string Pod = """{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"n","resourceVersion":"7","uid":"u"}}""";
    private static readonly ObjectKey Key = new("n", "a");
    private static readonly V1Pod Written = new() { Metadata = new() { Name = "a", Namespace = "n", ResourceVersion = "7" } };

    public static TheoryData<string, string, string> Calls => new()
    {
        { "get", "GET /api/v1/namespaces/n/pods/a", "" },
        { "create", "POST /api/v1/namespaces/n/pods?fieldManager=tester", "application/json" },
        { "replace", "PUT /api/v1/namespaces/n/pods/a?fieldManager=tester", "application/json" },
        { "status", "PUT /api/v1/namespaces/n/pods/a/status?fieldManager=tester", "application/json" },
        { "merge", "PATCH /api/v1/namespaces/n/pods/a?fieldManager=tester", "application/merge-patch+json" },
        { "json", "PATCH /api/v1/namespaces/n/pods/a?fieldManager=tester", "application/json-patch+json" },
        { "strategic", "PATCH /api/v1/namespaces/n/pods/a?fieldManager=tester", "application/strategic-merge-patch+json" },
        { "apply", "PATCH /api/v1/namespaces/n/pods/a?fieldManager=tester&force=true", "application/apply-patch+yaml" },
        { "applyStatus", "PATCH /api/v1/namespaces/n/pods/a/status?fieldManager=other", "application/apply-patch+yaml" },
        { "delete", "DELETE /api/v1/namespaces/n/pods/a", "application/json" },
        { "deleteAll", "DELETE /api/v1/namespaces/n/pods?labelSelector=a%3Db", "application/json" },
        { "evict", "POST /api/v1/namespaces/n/pods/a/eviction", "application/json" },
        { "dryCreate", "POST /api/v1/namespaces/n/pods?fieldManager=tester&fieldValidation=Strict&dryRun=All", "application/json" },
        { "dryApply", "PATCH /api/v1/namespaces/n/pods/a?fieldManager=tester&fieldValidation=Strict&dryRun=All&force=true", "application/apply-patch+yaml" },
        { "gadget", "GET /apis/example.com/v1/namespaces/n/gadgets/a", "" },
        { "node", "GET /api/v1/nodes/a", "" },
        { "log", "GET /api/v1/namespaces/n/pods/a/log?container=c&previous=true&tailLines=5", "" },
    };

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Each_operation_sends_the_request_the_API_defines(string operation, string expected, string contentType)
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Json(200, Pod));
        using var client = Connect(server);

        await CallAsync(operation, client);

        var request = Assert.Single(server.Requests);
        Assert.Equal((expected, contentType), ($"{request.Method} {request.PathAndQuery}", request.ContentType));
    }

    [Fact]
    public async Task A_delete_carries_its_preconditions()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Json(200, Pod));
        using var client = Connect(server);

        await client.Resource(Resources.Pods).DeleteAsync(Key, new() { GracePeriodSeconds = 0, PropagationPolicy = "Foreground", Preconditions = new() { Uid = "u", ResourceVersion = "7" } }, default);

        var expected = JsonNode.Parse("""{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"u","resourceVersion":"7"},"gracePeriodSeconds":0,"propagationPolicy":"Foreground"}""");
        Assert.True(JsonNode.DeepEquals(expected, JsonNode.Parse(server.Requests[0].Body)), server.Requests[0].Body);
    }

    [Fact]
    public async Task A_kind_without_type_fields_gets_them_on_the_way_out()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Json(200, """{"metadata":{"name":"g","namespace":"n","resourceVersion":"3"}}"""));
        using var client = Connect(server);

        await client.Resource(PlainGadget.Resource).CreateAsync(new() { Metadata = new("g", "n", null) }, default);

        Assert.Equal("""{"apiVersion":"example.com/v1","kind":"Gadget","metadata":{"name":"g","namespace":"n"}}""", server.Requests[0].Body);
    }

    [Fact]
    public async Task A_list_is_read_page_by_page_at_the_version_of_its_token()
    {
        await using var server = await ApiServerStub.StartAsync(
            ApiServerStub.Json(200, """{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9","continue":"t/1","remainingItemCount":1},"items":[{"metadata":{"name":"a"}}]}"""),
            ApiServerStub.Json(200, """{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"b"}}]}"""));
        using var client = Connect(server);

        var list = await client.Resource(Resources.Pods).ListAsync(null, new() { LabelSelector = "app in (x,y)", PageSize = 1, ResourceVersion = "0" }, default);

        Assert.Equal(["a", "b"], list.Items.Select(p => p.Metadata.Name));
        Assert.Equal("9", list.Metadata.ResourceVersion);
        Assert.Equal(
            ["/api/v1/pods?labelSelector=app%20in%20%28x%2Cy%29&resourceVersion=0&limit=1", "/api/v1/pods?labelSelector=app%20in%20%28x%2Cy%29&limit=1&continue=t%2F1"],
            server.Requests.Select(r => r.PathAndQuery));
    }

    [Theory]
    [InlineData("""{"metadata":{"resourceVersion":"9"},"items":null}""")]
    [InlineData("""{"items":[],"metadata":{"resourceVersion":"9","new":[{}]},"extra":{"a":[1]}}""")]
    public async Task An_empty_list_has_no_items_however_it_is_written(string body)
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Json(200, body));
        using var client = Connect(server);
        Assert.Empty((await client.Resource(Resources.Pods).ListAsync("n", null, default)).Items);
    }

    [Fact]
    public async Task A_refusal_says_what_was_tried_and_why_it_was_refused()
    {
        const string body = """
            {"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Pod \"a\" is invalid: spec.containers: Required value","reason":"Invalid",
             "details":{"name":"a","kind":"Pod","causes":[{"reason":"FieldValueRequired","message":"Required value","field":"spec.containers"}]},"code":422}
            """;
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Json(422, body));
        using var client = Connect(server);

        var refused = await Assert.ThrowsAsync<KubernetesException>(() => client.Resource(Resources.Pods).CreateAsync(Written, default));

        Assert.Equal((422, "Invalid"), (refused.Code, refused.Reason));
        Assert.True(refused.IsInvalid);
        Assert.True(refused.HasCause("FieldValueRequired"));
        Assert.StartsWith("creating pods n/a: Pod \"a\" is invalid", refused.Message, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_dry_run_returns_faults_and_warnings_as_data()
    {
        await using var server = await ApiServerStub.StartAsync(
            ApiServerStub.Json(400, """{"kind":"Status","status":"Failure","message":"strict decoding error: unknown field \"spec.typo\"","reason":"BadRequest","code":400}"""),
            ApiServerStub.Json(201, Pod, ("Warning", "299 - \"spec.x is deprecated\"")));
        using var client = Connect(server);

        var refused = await client.Resource(Resources.Pods).DryRunCreateAsync(Written, default);
        var accepted = await client.Resource(Resources.Pods).DryRunCreateAsync(Written, default);

        Assert.Equal("strict decoding error: unknown field \"spec.typo\"", Assert.Single(refused.Faults));
        Assert.Empty(accepted.Faults);
        Assert.Equal("spec.x is deprecated", Assert.Single(accepted.Warnings));
        Assert.Equal("a", accepted.Object!.Metadata.Name);
    }

    [Fact]
    public async Task An_eviction_that_a_budget_forbids_is_an_answer_and_is_not_repeated()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Refuse(429, "TooManyRequests", ("Retry-After", "0")));
        using var client = Connect(server);

        Assert.False(await client.Resource(Resources.Pods).EvictAsync(Key, null, default));
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_missing_object_is_null_to_Find_and_an_error_to_Get()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Refuse(404, "NotFound"));
        using var client = Connect(server);
        var pods = client.Resource(Resources.Pods);

        Assert.Null(await pods.FindAsync(Key, default));
        Assert.True((await Assert.ThrowsAsync<KubernetesException>(() => pods.GetAsync(Key, default))).IsNotFound);
    }

    [Fact]
    public async Task A_namespaced_object_without_a_namespace_is_refused_before_anything_is_sent()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Json(200, Pod));
        using var client = Connect(server);
        await Assert.ThrowsAsync<ArgumentException>(() => client.Resource(Resources.Pods).GetAsync(ObjectKey.Cluster("a"), default));
        Assert.Empty(server.Requests);
    }

    internal static KubernetesClient Connect(ApiServerStub server, KubernetesClientOptions? options = null, TimeProvider? clock = null) =>
        new(new KubernetesClientConfiguration { Host = server.Host }, options ?? new() { FieldManager = "tester", RetryDelay = TimeSpan.FromMilliseconds(1) }, clock);

    private static Task CallAsync(string operation, KubernetesClient client)
    {
        var pods = client.Resource(Resources.Pods);
        var change = new JsonObject { ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["x"] = "y" } } };
        return operation switch
        {
            "get" => pods.GetAsync(Key, default),
            "create" => pods.CreateAsync(Written, default),
            "replace" => pods.ReplaceAsync(Written, default),
            "status" => pods.ReplaceStatusAsync(Written, default),
            "merge" => pods.PatchAsync(Key, Patch.Merge(change), default),
            "json" => pods.PatchAsync(Key, Patch.Json(JsonPatchOperation.Test("/metadata/uid", "u"), JsonPatchOperation.Remove("/spec")), default),
            "strategic" => pods.PatchAsync(Key, Patch.StrategicMerge(change), default),
            "apply" => pods.ApplyAsync(Written, force: true, default),
            "applyStatus" => pods.ApplyAsync(Written, force: false, default, new() { FieldManager = "other" }, "status"),
            "delete" => pods.DeleteAsync(Key, null, default),
            "deleteAll" => pods.DeleteCollectionAsync("n", new() { LabelSelector = "a=b" }, null, default),
            "evict" => pods.EvictAsync(Key, null, default),
            "dryCreate" => pods.DryRunCreateAsync(Written, default),
            "dryApply" => pods.DryRunApplyAsync(Written, default),
            "gadget" => client.Resource(Gadget.Resource).GetAsync(Key, default),
            "node" => client.Resource(Resources.Nodes).GetAsync(ObjectKey.Cluster("a"), default),
            "log" => pods.ReadLogAsync(Key, new() { Container = "c", Previous = true, TailLines = 5 }, default),
            _ => throw new ArgumentOutOfRangeException(nameof(operation), operation, "No such operation"),
        };
    }
}
