using Opt.Kubernetes;

namespace Opt.Bench.Kubernetes;

/// <summary>Pods as a training job has them.</summary>
internal static class Pods
{
    public static V1Pod Make(int number, long? version = null) => new()
    {
        Metadata = new()
        {
            Name = $"opt-175b-{number}",
            Namespace = "default",
            Uid = version is null ? null : $"00000000-0000-0000-0000-{number:d12}",
            ResourceVersion = version?.ToString(System.Globalization.CultureInfo.InvariantCulture),
            Labels = new Dictionary<string, string> { ["app"] = "opt-175b", ["role"] = number % 20 == 0 ? "spare" : "member", ["controller-revision-hash"] = "opt-175b-5d4f8c7b9" },
        },
        Spec = new()
        {
            NodeName = version is null ? null : $"n{number}",
            Hostname = $"opt-175b-{number}",
            Subdomain = "opt-175b",
            RestartPolicy = "Always",
            Tolerations = [new() { Key = "node.kubernetes.io/not-ready", Operator = "Exists" }, new() { Key = "node.kubernetes.io/unreachable", Operator = "Exists" }],
            Containers =
            [
                new()
                {
                    Name = "trainer",
                    Image = "registry.example.com/opt-trainer@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                    Args = ["agent"],
                    Ports = [new() { Name = "agent", ContainerPort = 9440 }],
                    Env = [new() { Name = "POD_IP", ValueFrom = new() { FieldRef = new() { FieldPath = "status.podIP" } } }],
                    Resources = new() { Limits = new Dictionary<string, ResourceQuantity> { ["nvidia.com/gpu"] = 8 } },
                },
            ],
        },
        Status = version is null ? null : new() { Phase = "Running", PodIP = "10.0.0.1", Conditions = [new() { Type = "Ready", Status = "True" }] },
    };
}
