using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Operator.Agents;

namespace Opt.Operator.Tests.Agents;

/// <summary>Plans and step records for tests.</summary>
internal static class Plans
{
    private static readonly OptTrainingJobSpec Spec = new()
    {
        Model = new() { Layers = 2, HiddenSize = 64, Heads = 4, MaxPositions = 64 },
        Topology = new() { Nodes = 1, AcceleratorsPerNode = 1 },
        Pod = new() { Image = "opt-trainer:1", AcceleratorResource = "" },
        Data = new() { Train = [new() { Path = "corpus" }] },
        Training = new() { BatchTokens = 64, TotalTokens = 6400, LearningRate = new() { Peak = 1e-3 } },
        Checkpoint = new() { Store = new() { Directory = new() { Path = "/checkpoints" } } },
    };

    public static RunPlan Make(long epoch, AgentTarget first) => new()
    {
        JobNamespace = "ml", JobName = "opt", JobUid = "job", Epoch = epoch, Revision = 0, ParentEpoch = epoch - 1, CreatedAt = DateTimeOffset.UnixEpoch,
        Cause = new() { Id = "c", Reason = "Start", Message = "m" }, Members = [new() { Pod = first.Pod, PodUid = first.PodUid, PodIp = first.Ip, AgentInstance = "one", Node = "node-0" }],
        WorkersPerMember = 1, RendezvousPort = 24000, TemplateRevision = "rev", Training = TrainingConfigResolver.Resolve(Spec),
    };

    public static StepRecord Step(long epoch, long attempt, DateTimeOffset time, double seconds = 1, int revision = 0) => new()
    {
        Epoch = epoch, Revision = revision, Attempt = attempt, Step = attempt, Samples = attempt, Tokens = attempt, Loss = 1, LearningRate = 1, LossScale = 1, Skipped = false, Time = time, Seconds = seconds,
        TokensPerSecond = 1, HyperParameters = TrainingConfigResolver.Resolve(Spec).HyperParameters,
    };
}
