using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Tests;

/// <summary>Jobs and parts of observations, with defaults that a test changes by <c>with</c>.</summary>
internal static class Make
{
    public static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static OptTrainingJob Job(int nodes = 2, int spares = 0, long totalSteps = 100) => new()
    {
        Metadata = new() { Name = "opt", Namespace = "ml", Uid = "job-uid", Generation = 1 },
        Spec = new()
        {
            Model = new() { Layers = 2, HiddenSize = 64, Heads = 4, MaxPositions = 64 },
            Topology = new() { Nodes = nodes, SpareNodes = spares, AcceleratorsPerNode = 1 },
            Pod = new() { Image = "opt-trainer:1", AcceleratorResource = "" },
            Data = new() { Train = [new() { Path = "corpus" }] },
            Training = new() { BatchTokens = 64, TotalTokens = 64 * totalSteps, LearningRate = new() { Peak = 1e-3 } },
            Checkpoint = new() { Store = new() { Directory = new() { Path = "/checkpoints" } } },
        },
    };

    public static OptTrainingJob Edited(this OptTrainingJob job, Func<OptTrainingJobSpec, OptTrainingJobSpec> edit) =>
        job with { Spec = edit(job.Spec), Metadata = job.Metadata with { Generation = job.Metadata.Generation + 1 } };

    public static PlanMember Member(string uid, int ordinal = 0) => new() { Pod = $"opt-{ordinal}", PodUid = uid, PodIp = "10.0.0.1", AgentInstance = "i", Node = $"node-{ordinal}" };

    public static PodState Pod(string uid, int ordinal) => new() { Name = $"opt-{ordinal}", Uid = uid, Ordinal = ordinal, Phase = "Running", Node = $"node-{ordinal}", Ip = "10.0.0.1" };

    public static CheckpointSummary Checkpoint(long step, long entry = 1, HealthVerdict verdict = HealthVerdict.Pending) => new()
    {
        Step = step, Attempt = step, Samples = step, Tokens = step, Epoch = 1, Entry = entry, Path = $"step-{step}", ManifestDigest = $"digest-{step}-{entry}", Bytes = 1, CommittedAt = Now, Verdict = verdict,
    };
}
