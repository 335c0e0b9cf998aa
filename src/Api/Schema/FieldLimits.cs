using System.Text.Json.Nodes;

namespace Opt.Api.Schema;

/// <summary>What one field allows beyond its type. The CRD schema and the reconciler's own validation both read this table.</summary>
internal sealed record FieldLimit
{
    public double? Minimum { get; init; }
    public double? Maximum { get; init; }
    public bool ExclusiveMinimum { get; init; }
    public int? MinLength { get; init; }
    public int? MaxLength { get; init; }
    public int? MinItems { get; init; }
    public int? MaxItems { get; init; }
    public string? Pattern { get; init; }
    public IReadOnlyList<string>? Values { get; init; }

    /// <summary>Writes the limits into an OpenAPI schema.</summary>
    public void WriteTo(JsonObject schema)
    {
        if (Minimum is { } minimum) schema["minimum"] = Number(minimum);
        if (ExclusiveMinimum) schema["exclusiveMinimum"] = true;
        if (Maximum is { } maximum) schema["maximum"] = Number(maximum);
        if (MinLength is { } minLength) schema["minLength"] = minLength;
        if (MaxLength is { } maxLength) schema["maxLength"] = maxLength;
        if (MinItems is { } minItems) schema["minItems"] = minItems;
        if (MaxItems is { } maxItems) schema["maxItems"] = maxItems;
        if (Pattern is not null) schema["pattern"] = Pattern;
        if (Values is not null) schema["enum"] = new JsonArray([.. Values.Select(v => JsonValue.Create(v))]);
    }

    private static JsonValue Number(double value) => value == Math.Floor(value) && Math.Abs(value) < 1e15 ? JsonValue.Create((long)value) : JsonValue.Create(value);
}

/// <summary>The limits by "Type.Property".</summary>
internal static class FieldLimits
{
    /// <summary>Every string without limits of its own is at most this long: unbounded strings make CEL too costly for the API server.</summary>
    public const int DefaultMaxLength = 1024;

    /// <summary>Every list without limits of its own has at most this many items.</summary>
    public const int DefaultMaxItems = 64;

    /// <summary>A DNS-1123 subdomain, as names of Secrets and nodes are.</summary>
    private const string Subdomain = @"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

    private const string ExtendedResource = @"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";

    private const string AbsolutePath = "^/.*$";

    private static readonly Dictionary<string, FieldLimit> ByField = new(StringComparer.Ordinal)
    {
        ["ModelSpec.Preset"] = new() { Values = [.. ModelPreset.All.Select(p => p.Name)] },
        ["ModelSpec.Layers"] = Range(1, 1024),
        ["ModelSpec.HiddenSize"] = Range(1, 131072),
        ["ModelSpec.Heads"] = Range(1, 1024),
        ["ModelSpec.FfnSize"] = Range(1, 1048576),
        ["ModelSpec.VocabSize"] = Range(2, 65536),   // token ids are stored as uint16
        ["ModelSpec.MaxPositions"] = Range(1, 1048576),
        ["ModelSpec.Dropout"] = Range(0, 0.99),
        ["ModelSpec.AttentionDropout"] = Range(0, 0.99),
        ["TopologySpec.Nodes"] = Range(1, 4096),
        ["TopologySpec.MinNodes"] = Range(1, 4096),
        ["TopologySpec.AcceleratorsPerNode"] = Range(1, 64),
        ["TopologySpec.AcceleratorMemoryGiB"] = Range(1, 65536),
        ["TopologySpec.SpareNodes"] = Range(0, 512),
        ["TopologySpec.TensorParallel"] = Range(1, 64),
        ["TopologySpec.DataParallelShard"] = Range(1, 4096 * 64),
        ["PodSpec.Image"] = new() { MinLength = 1, MaxLength = 512, Pattern = @"^\S+$" },
        ["PodSpec.AcceleratorResource"] = new() { MaxLength = 317, Pattern = @"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$" },
        ["NetworkSpec.SocketInterface"] = new() { MinLength = 1, MaxLength = 256, Pattern = @"^[=^]{0,2}[A-Za-z0-9_.:,-]+$" },
        ["RdmaSpec.Resource"] = new() { MinLength = 3, MaxLength = 317, Pattern = ExtendedResource },
        ["RdmaSpec.Count"] = Range(1, 1000),
        ["SchedulingSpec.Queue"] = new() { MinLength = 1, MaxLength = 63, Pattern = Subdomain },
        ["GangSpec.Group"] = new() { MinLength = 1, MaxLength = 253, Pattern = Subdomain },
        ["RackSpec.Label"] = new() { MinLength = 1, MaxLength = 317, Pattern = @"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$" },
        ["DataSpec.Root"] = new() { MinLength = 1, MaxLength = 1024, Pattern = AbsolutePath },
        ["DataSpec.Train"] = new() { MinItems = 1, MaxItems = 64 },
        ["DataSpec.Validation"] = new() { MaxItems = 64 },
        ["DataSpec.ValidateEverySteps"] = Range(0, 1_000_000_000),
        ["CorpusSpec.Path"] = new() { MinLength = 1, MaxLength = 1024, Pattern = "^[^/].*$" },
        ["CorpusSpec.Weight"] = Positive(1e9),
        ["TrainingSpec.BatchTokens"] = Range(1, 1L << 40),
        ["TrainingSpec.SequenceLength"] = Range(1, 1048576),
        ["TrainingSpec.TotalTokens"] = Range(1, 1L << 50),
        ["TrainingSpec.GradientClip"] = Range(0, 1e9),
        ["TrainingSpec.MicroBatchSequences"] = Range(1, 65536),
        ["TrainingSpec.Seed"] = Range(0, int.MaxValue),
        ["OptimizerSpec.Beta1"] = Range(0, 0.999999),
        ["OptimizerSpec.Beta2"] = Range(0, 0.999999),
        ["OptimizerSpec.Eps"] = Positive(1),
        ["OptimizerSpec.WeightDecay"] = Range(0, 10),
        ["LearningRateSpec.Peak"] = Positive(1000),
        ["StepsOrTokens.Steps"] = Range(0, 1L << 40),
        ["StepsOrTokens.Tokens"] = Range(0, 1L << 50),
        ["DecaySpec.Steps"] = Range(1, 1L << 40),
        ["DecaySpec.Tokens"] = Range(1, 1L << 50),
        ["DecaySpec.FinalRatio"] = Range(0, 1),
        ["LossScaleSpec.Initial"] = Positive(16777216),
        ["LossScaleSpec.Window"] = Range(1, 1_000_000_000),
        ["LossScaleSpec.Floor"] = Positive(16777216),
        ["AzureBlobStoreSpec.Account"] = new() { MinLength = 3, MaxLength = 24, Pattern = "^[a-z0-9]+$" },
        ["AzureBlobStoreSpec.Container"] = new() { MinLength = 3, MaxLength = 63, Pattern = "^[a-z0-9]([a-z0-9]|-[a-z0-9])*$" },
        ["AzureBlobStoreSpec.Endpoint"] = new() { MaxLength = 1024, Pattern = "^https?://[^ ]+$" },
        ["SecretReference.Name"] = new() { MinLength = 1, MaxLength = 253, Pattern = Subdomain },
        ["DirectoryStoreSpec.Path"] = new() { MinLength = 1, MaxLength = 1024, Pattern = AbsolutePath },
        ["UploadSpec.BytesPerSecond"] = Range(1, 1L << 50),
        ["RetentionSpec.Last"] = Range(1, 1000),
        ["RetentionSpec.EverySteps"] = Range(0, 1_000_000_000),
        ["HealthSpec.AfterSteps"] = Range(1, 1_000_000),
        ["HealthSpec.LossScaleAtLeast"] = Range(0, 16777216),
        ["HealthSpec.LossSpike"] = Range(0, 1_000_000),
        ["HealthSpec.NormDrift"] = Range(0, 1_000_000),
        ["FailurePolicySpec.HangFactor"] = Range(2, 1000),
        ["FailurePolicySpec.NoProgressLimit"] = Range(1, 20),   // the operator keeps the newest 20 plans, where they are counted
        ["BudgetSpec.Limit"] = Range(0, 1000),
        ["LeaveNodeSpec.Limit"] = Range(0, 1000),
        ["OptTrainingJobSpec.TtlSecondsAfterFinished"] = Range(0, int.MaxValue),
        ["StragglerSpec.Factor"] = Range(1.01, 100),
        ["StragglerSpec.ForSteps"] = Range(10, 2000),
        ["StragglerSpec.Limit"] = Range(0, 1000),
        ["SlowdownSpec.Factor"] = Range(1.01, 100),
        ["SlowdownSpec.ForSteps"] = Range(10, 2000),
        ["SlowdownSpec.Limit"] = Range(0, 1000),
        ["OptTrainingJobSpec.DivergencePolicies"] = new() { MaxItems = 16 },
        ["OptTrainingJobSpec.Overrides"] = new() { MaxItems = 16 },
        ["DivergencePolicySpec.Name"] = new() { MinLength = 1, MaxLength = 63, Pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" },
        ["DivergencePolicySpec.Then"] = new() { MinItems = 1, MaxItems = 8 },
        ["DivergencePolicySpec.Escalation"] = new() { MaxItems = 8 },
        ["DivergencePolicySpec.WindowSteps"] = Range(1, 1_000_000_000),
        ["DivergencePolicySpec.Limit"] = Range(1, 32),   // the plan keeps the newest 33 firings of a policy, where they are counted
        ["DivergencePolicySpec.ReleaseAfterSteps"] = Range(1, 1_000_000_000),
        ["ReplaySpec.Limit"] = Range(1, 32),
        ["ReplaySpec.Slack"] = Range(0, 1000),
        ["RungSpec.Then"] = new() { MinItems = 1, MaxItems = 8 },
        ["CooldownSpec.Steps"] = Range(1, 4000),   // the operator judges the newest 5000 records
        ["DivergenceTriggerSpec.All"] = new() { MaxItems = 6 },
        ["DivergenceTriggerSpec.Any"] = new() { MaxItems = 6 },
        ["DivergenceTriggerSpec.AfterStep"] = Range(0, 1L << 40),
        ["SignalBoundSpec.Spike"] = Positive(1e6),
        ["SignalBoundSpec.Drift"] = new() { Minimum = 1, ExclusiveMinimum = true, Maximum = 1e6 },
        ["SignalBoundSpec.Falls"] = Range(1, 1000),
        ["SignalBoundSpec.Rises"] = Range(1, 1000),
        ["SignalBoundSpec.Plateau"] = Range(0, 1),
        ["SignalBoundSpec.Window"] = Range(20, 2000),
        ["SignalBoundSpec.ForSteps"] = Range(1, 1000),
        ["SignalBoundSpec.ForSeconds"] = Range(0, 86400),
        ["InterventionSpec.LossScale"] = Positive(16777216),
        ["RollbackSpec.Checkpoints"] = Range(1, 100),
        ["RollbackSpec.Step"] = Range(0, 1L << 40),
        ["ValueChangeSpec.Set"] = Range(0, 1e9),
        ["ValueChangeSpec.Multiply"] = Positive(1000),
        ["ValueChangeSpec.Floor"] = Range(0, 1e9),
        ["FieldChangeSpec.Set"] = Range(0, 1e12),
        ["FieldChangeSpec.Multiply"] = Positive(1000),
        ["FieldChangeSpec.Floor"] = Range(0, 1e12),
        ["OptimizerSwitchSpec.Beta1"] = Range(0, 0.999999),
        ["OptimizerSwitchSpec.Beta2"] = Range(0, 0.999999),
        ["OptimizerSwitchSpec.Eps"] = Positive(1),
        ["OptimizerSwitchSpec.WeightDecay"] = Range(0, 10),
        ["OptimizerSwitchSpec.Steps"] = Range(1, 1_000_000_000),
        ["ReshuffleDataSpec.Batches"] = Range(1, 1_000_000),
        ["SkipDataSpec.AlsoNext"] = Range(0, 100_000),
        ["OverrideSpec.Value"] = Range(0, 1e12),
        ["OptTrainingJobStatus.HyperParameters"] = new() { MaxItems = 16 },
        ["OptTrainingJobStatus.DivergencePolicies"] = new() { MaxItems = 16 },
        ["OptTrainingJobStatus.HandledRequests"] = new() { MaxItems = 20 },
        ["OptTrainingJobStatus.Conditions"] = new() { MaxItems = 32 },
        ["OptTrainingJobStatus.Goodput"] = new() { MaxItems = 32 },
        ["OptTrainingJobStatus.GoodputWindows"] = new() { MaxItems = 4 },
        ["OptTrainingJobStatus.GoodputHistory"] = new() { MaxItems = 40 },
        ["OptTrainingJobStatus.LostTime"] = new() { MaxItems = 33 },
        ["OptTrainingJobStatus.Logbook"] = new() { MaxItems = 20 },
        ["OptTrainingJobStatus.NodeTests"] = new() { MaxItems = 32 },
        ["RestoreStatus.Slowest"] = new() { MaxItems = 8 },
        ["NodesStatus.Quarantined"] = new() { MaxItems = 32 },
        ["Condition.Message"] = new() { MaxLength = 4096 },
        ["Condition.Status"] = new() { Values = ["True", "False", "Unknown"] },
        ["LogbookEntry.Why"] = new() { MaxLength = 2048 },
        ["CondemnedSpec.Reason"] = new() { MinLength = 1, MaxLength = 1024, Pattern = @"\S" },
        ["OptCheckpointStatus.Reason"] = new() { MaxLength = 2048 },
        ["OptCheckpointStatus.Tiers"] = new() { MaxItems = 3 },
    };

    public static FieldLimit? Find(Type owner, string property) => ByField.GetValueOrDefault($"{owner.Name}.{property}");

    private static FieldLimit Range(double minimum, double maximum) => new() { Minimum = minimum, Maximum = maximum };

    private static FieldLimit Positive(double maximum) => new() { Minimum = 0, ExclusiveMinimum = true, Maximum = maximum };
}
