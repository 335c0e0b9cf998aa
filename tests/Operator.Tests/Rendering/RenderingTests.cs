using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Rendering;
using Opt.Planning;
using Opt.Testing;
using Xunit;

namespace Opt.Operator.Tests.Rendering;

public sealed class RenderingTests
{
    private const string Large = """
        model: {preset: opt-175b}
        topology: {nodes: 124, spareNodes: 6}
        pod: {image: "registry.example.com/opt-trainer@sha256:0000"}
        data: {train: [{path: pile/train}]}
        checkpoint: {store: {azureBlob: {account: optckpt, container: opt-175b, secretRef: {name: blob-credentials}}}}
        """;

    private const string Small = """
        model: {layers: 2, hiddenSize: 64, heads: 4}
        topology: {nodes: 2, acceleratorsPerNode: 1}
        pod:
          image: opt-trainer:local
          device: cpu
          acceleratorResource: ""
          template:
            metadata: {labels: {team: nlp, training.opt-operator.io/job: stolen}}
            spec:
              priorityClassName: high
              tolerations: [{key: dedicated, operator: Exists}]
              affinity:
                nodeAffinity:
                  requiredDuringSchedulingIgnoredDuringExecution:
                    nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [a]}]}, {matchExpressions: [{key: zone, operator: In, values: [b]}]}]
              containers:
                - name: trainer
                  env: [{name: OMP_NUM_THREADS, value: "1"}]
                  volumeMounts: [{name: data, mountPath: /data, readOnly: true}]
                - {name: sidecar, image: "sidecar:1"}
              volumes: [{name: data, hostPath: {path: /var/lib/opt/data}}]
        data: {train: [{path: corpus}]}
        training: {batchTokens: 2048, learningRate: {peak: 0.001}}
        checkpoint: {store: {directory: {path: /checkpoints}}}
        """;

    private const string Fabric = """
        model: {preset: opt-13b}
        topology: {nodes: 8, spareNodes: 1}
        pod:
          image: "registry.example.com/opt-trainer@sha256:0000"
          network: {hostNetwork: true, socketInterface: eth0, tls: true, rdma: {resource: rdma/hca, count: 8}}
          scheduling: {queue: pretraining, gang: {scheduler: native, group: opt-13b}, rack: {label: topology.kubernetes.io/rack}}
        data: {train: [{path: pile/train}]}
        checkpoint: {store: {directory: {path: /checkpoints}}}
        """;

    [Theory]
    [InlineData("opt-175b", Large)]
    [InlineData("opt-tiny", Small)]
    [InlineData("opt-fabric", Fabric)]
    public void Owned_objects_match_their_golden_files(string name, string spec)
    {
        var job = Job(name, spec);
        var objects = new[] { OwnedObjects.Service(job), OwnedObjects.DisruptionBudget(job), OwnedObjects.Secret(job, Secret), OwnedObjects.StatefulSet(job, job.Spec.Topology.Nodes + job.Spec.Topology.SpareNodes, PodInputs.Digest(job.Spec)) };
        Golden.Matches($"rendering/{name}.yaml", string.Join("---\n", objects.Select(YamlWriter.Write)));
    }

    [Fact]
    public void No_template_takes_away_what_failure_handling_rests_on()
    {
        var template = PodTemplate.Render(Job("opt-tiny", Small));
        var spec = template["spec"]!;

        Assert.Equal("opt-tiny", (string?)template["metadata"]!["labels"]![Names.JobLabel]);
        Assert.Equal("nlp", (string?)template["metadata"]!["labels"]!["team"]);
        Assert.Contains(spec["tolerations"]!.AsArray(), t => (string?)t!["key"] == "node.kubernetes.io/unreachable" && t["tolerationSeconds"] is null);
        Assert.Contains(spec["tolerations"]!.AsArray(), t => (string?)t!["key"] == "dedicated");
        var terms = spec["affinity"]!["nodeAffinity"]!["requiredDuringSchedulingIgnoredDuringExecution"]!["nodeSelectorTerms"]!.AsArray();
        Assert.Equal(2, terms.Count);
        Assert.All(terms, term => Assert.Contains(term!["matchExpressions"]!.AsArray(), e => (string?)e!["key"] == Names.QuarantinedLabel && (string?)e["operator"] == "DoesNotExist"));
    }

    [Theory]
    [InlineData("native", null, "schedulingGroup")]
    [InlineData("volcano", "volcano", "scheduling.k8s.io/group-name")]
    [InlineData("coscheduling", "scheduler-plugins-scheduler", "scheduling.x-k8s.io/pod-group")]
    public void Pods_join_the_group_of_the_scheduler_that_was_named(string scheduler, string? name, string mark)
    {
        var template = PodTemplate.Render(Job("opt-13b", Fabric.Replace("scheduler: native", $"scheduler: {scheduler}", StringComparison.Ordinal)));
        Assert.Equal(name, (string?)template["spec"]!["schedulerName"]);
        Assert.Contains($"\"{mark}\"", template.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal(scheduler == "native", template["spec"]!["schedulingGroup"] is not null);
    }

    [Fact]
    public void Pods_are_spread_over_racks_where_the_job_prefers_it()
    {
        var spec = PodTemplate.Render(Job("opt-13b", Fabric.Replace("kubernetes.io/rack}", "kubernetes.io/rack, placement: spread}", StringComparison.Ordinal)))["spec"]!;
        Assert.Equal("topology.kubernetes.io/rack", (string?)spec["topologySpreadConstraints"]![0]!["topologyKey"]);
        Assert.Null(spec["affinity"]!["podAffinity"]);
    }

    [Fact]
    public void No_object_of_a_job_lies_outside_its_namespace()
    {
        var job = Job("opt-tiny", Small);
        var objects = new[] { OwnedObjects.Service(job), OwnedObjects.DisruptionBudget(job), OwnedObjects.Secret(job, Secret), OwnedObjects.StatefulSet(job, 2, PodInputs.Digest(job.Spec)) };
        Assert.All(objects, o => Assert.Equal("ml", (string?)o["metadata"]!["namespace"]));
        Assert.All(objects, o => Assert.StartsWith("opt-tiny", (string?)o["metadata"]!["name"], StringComparison.Ordinal));
        Assert.False((bool)PodTemplate.Render(job)["spec"]!["automountServiceAccountToken"]!);
    }

    [Fact]
    public void Rendering_survives_the_typed_models_byte_for_byte()
    {
        var rendered = OwnedObjects.StatefulSet(Job("opt-175b", Large), 130, "digest");
        var back = JsonSerializer.SerializeToNode(rendered.Deserialize(KubernetesJson.Default.V1StatefulSet), KubernetesJson.Default.V1StatefulSet);
        Assert.True(JsonNode.DeepEquals(rendered, back), $"{back}");
    }

    [Fact]
    public void A_template_field_of_the_wrong_type_is_named()
    {
        var job = Job("opt-tiny", Small.Replace("priorityClassName: high", "affinity: wrong", StringComparison.Ordinal).Replace("affinity:\n        nodeAffinity", "unused:\n        nodeAffinity", StringComparison.Ordinal));
        var error = Assert.Throws<PodTemplateException>(() => PodTemplate.Render(job));
        Assert.Equal("spec.pod.template: affinity must be an object, not \"wrong\"", error.Message);
    }

    [Fact]
    public void The_digest_of_pod_inputs_changes_with_what_pods_are_made_from_and_nothing_else()
    {
        var spec = Job("opt-175b", Large).Spec;
        var digest = PodInputs.Digest(spec);
        Assert.NotEqual(digest, PodInputs.Digest(spec with { Pod = spec.Pod with { Image = "other" } }));
        Assert.NotEqual(digest, PodInputs.Digest(spec with { Data = spec.Data with { Root = "/elsewhere" } }));
        Assert.Equal(digest, PodInputs.Digest(spec with { Suspend = true, Topology = spec.Topology with { Nodes = 100 }, Training = spec.Training with { TotalTokens = 1 } }));
    }

    private static readonly AgentSecret Secret = new("token", null) { Data = new Dictionary<string, byte[]> { ["token"] = "token"u8.ToArray() } };

    private static OptTrainingJob Job(string name, string spec) => new()
    {
        Metadata = new() { Name = name, Namespace = "ml", Uid = "5c0e1b9e-0000-4000-8000-000000000001" },
        Spec = Yaml.Parse(spec)[0].Deserialize(StrictSpecJson.Default.OptTrainingJobSpec)!,
    };
}
