using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Opt.Testing;
using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class ModelTests
{
    private static readonly JsonObject Recorded = JsonNode.Parse(File.ReadAllText(Repo.PathOf("tests", "Kubernetes.Tests", "Data", "objects.json")))!.AsObject();

    public static TheoryData<string> Kinds => [.. Recorded.Select(p => p.Key)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_object_recorded_from_a_real_server_is_written_back_as_it_was_read(string kind)
    {
        var original = WithoutNulls(Recorded[kind]!)!;
        AssertSame(original, RoundTrip(kind, original));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Fields_nobody_knows_survive_at_every_depth(string kind)
    {
        var original = WithoutNulls(Recorded[kind]!)!;
        AddUnknown(original);
        AssertSame(original, RoundTrip(kind, original));
    }

    [Fact]
    public void Changing_one_field_keeps_the_unknown_ones()
    {
        var pod = JsonSerializer.Deserialize("""{"metadata":{"name":"a","future":1},"spec":{"nodeName":"n1","newer":{"x":[2]}}}""", KubernetesJson.Default.V1Pod)!;

        var moved = pod with { Spec = pod.Spec! with { NodeName = "n2" } };

        Assert.Equal("""{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","future":1},"spec":{"nodeName":"n2","newer":{"x":[2]}}}""",
            JsonSerializer.Serialize(moved, KubernetesJson.Default.V1Pod));
    }

    [Fact]
    public void An_item_of_a_list_knows_its_kind_without_being_told()
    {
        var pod = JsonSerializer.Deserialize("""{"metadata":{"name":"a"}}""", KubernetesJson.Default.V1Pod)!;
        Assert.Equal(("v1", "Pod"), (pod.ApiVersion, pod.Kind));
    }

    [Fact]
    public void Times_are_written_to_the_second_and_lease_times_to_the_microsecond()
    {
        var at = new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.FromHours(2)).AddTicks(1_234_567);
        var lease = new V1Lease { Metadata = new() { CreationTimestamp = at }, Spec = new() { RenewTime = at } };

        var json = JsonNode.Parse(JsonSerializer.Serialize(lease, KubernetesJson.Default.V1Lease))!;

        Assert.Equal("2026-03-04T03:06:07Z", (string?)json["metadata"]!["creationTimestamp"]);
        Assert.Equal("2026-03-04T03:06:07.123456Z", (string?)json["spec"]!["renewTime"]);
    }

    [Fact]
    public void A_secret_does_not_show_its_values()
    {
        var secret = new V1Secret { Metadata = new() { Name = "s", Namespace = "n" }, Data = new Dictionary<string, byte[]> { ["token"] = [1, 2] }, StringData = new Dictionary<string, string> { ["p"] = "hunter2" } };
        Assert.Equal("Secret n/s (1 keys)", secret.ToString());
    }

    private static JsonNode RoundTrip(string kind, JsonNode original)
    {
        JsonTypeInfo type = kind switch
        {
            "Pod" => KubernetesJson.Default.V1Pod,
            "Node" => KubernetesJson.Default.V1Node,
            "StatefulSet" => KubernetesJson.Default.V1StatefulSet,
            "PodDisruptionBudget" => KubernetesJson.Default.V1PodDisruptionBudget,
            "Service" => KubernetesJson.Default.V1Service,
            "Namespace" => KubernetesJson.Default.V1Namespace,
            "Secret" => KubernetesJson.Default.V1Secret,
            "ConfigMap" => KubernetesJson.Default.V1ConfigMap,
            "Lease" => KubernetesJson.Default.V1Lease,
            "Status" => KubernetesJson.Default.V1Status,
            "Scale" => KubernetesJson.Default.V1Scale,
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "No model"),
        };
        return JsonNode.Parse(JsonSerializer.Serialize(JsonSerializer.Deserialize(original.ToJsonString(), type), type))!;
    }

    private static void AssertSame(JsonNode expected, JsonNode actual) =>
        Assert.True(JsonNode.DeepEquals(expected, actual), $"expected\n{expected.ToJsonString()}\nactual\n{actual.ToJsonString()}");

    // To the API server an explicit null is the same as an absent field.
    private static JsonNode? WithoutNulls(JsonNode? node) => node switch
    {
        JsonObject o => new JsonObject(o.Where(p => p.Value is not null).Select(p => KeyValuePair.Create(p.Key, WithoutNulls(p.Value)))),
        JsonArray a => new JsonArray([.. a.Select(WithoutNulls)]),
        _ => node?.DeepClone(),
    };

    // "1234" is a string, a quantity and base64: it fits in every map of the models too.
    private static void AddUnknown(JsonNode? node)
    {
        if (node is JsonArray a)
        {
            foreach (var item in a) AddUnknown(item);
        }

        if (node is not JsonObject o) return;
        foreach (var (_, value) in o.ToArray()) AddUnknown(value);
        o["zzUnknown"] = "1234";
    }
}
