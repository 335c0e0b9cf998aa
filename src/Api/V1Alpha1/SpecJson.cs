using System.Text.Json;
using System.Text.Json.Serialization;

namespace Opt.Api.V1Alpha1;

/// <summary>
/// Source-generated JSON of the custom resource. Unknown members are ignored here, since a newer API server may know more;
/// strict reading is <see cref="StrictSpecJson"/>'s.
/// </summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, IgnoreReadOnlyProperties = true, Converters = [
    typeof(CamelCaseEnum<HealthVerdict>), typeof(CamelCaseEnum<BusyUpload>), typeof(CamelCaseEnum<Precision>), typeof(CamelCaseEnum<ActivationCheckpointing>), typeof(CamelCaseEnum<OptimizerType>),
    typeof(CamelCaseEnum<WeightDecayRule>), typeof(CamelCaseEnum<WeightDecayScope>), typeof(CamelCaseEnum<LossScaleWindow>), typeof(CamelCaseEnum<DataOrder>), typeof(CamelCaseEnum<DeviceKind>),
    typeof(CamelCaseEnum<HyperParameterField>), typeof(CamelCaseEnum<RollbackTarget>), typeof(CamelCaseEnum<MissingTarget>), typeof(CamelCaseEnum<SkipFrom>), typeof(CamelCaseEnum<OptimizerState>),
    typeof(CamelCaseEnum<GangScheduler>), typeof(CamelCaseEnum<RackPlacement>), typeof(CamelCaseEnum<CheckpointTier>),
    typeof(JsonStringEnumConverter<JobPhase>), typeof(JsonStringEnumConverter<ManagementState>)])]
[JsonSerializable(typeof(OptTrainingJob))]
[JsonSerializable(typeof(OptCheckpoint))]
[JsonSerializable(typeof(OptTrainingJobSpec))]
[JsonSerializable(typeof(OptTrainingJobStatus))]
public sealed partial class SpecJson : JsonSerializerContext;

/// <summary>As <see cref="SpecJson"/>, but an unknown member is an error naming it. For files people write.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, IgnoreReadOnlyProperties = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, Converters = [
    typeof(CamelCaseEnum<HealthVerdict>), typeof(CamelCaseEnum<BusyUpload>), typeof(CamelCaseEnum<Precision>), typeof(CamelCaseEnum<ActivationCheckpointing>), typeof(CamelCaseEnum<OptimizerType>),
    typeof(CamelCaseEnum<WeightDecayRule>), typeof(CamelCaseEnum<WeightDecayScope>), typeof(CamelCaseEnum<LossScaleWindow>), typeof(CamelCaseEnum<DataOrder>), typeof(CamelCaseEnum<DeviceKind>),
    typeof(CamelCaseEnum<HyperParameterField>), typeof(CamelCaseEnum<RollbackTarget>), typeof(CamelCaseEnum<MissingTarget>), typeof(CamelCaseEnum<SkipFrom>), typeof(CamelCaseEnum<OptimizerState>),
    typeof(CamelCaseEnum<GangScheduler>), typeof(CamelCaseEnum<RackPlacement>),
    typeof(JsonStringEnumConverter<JobPhase>), typeof(JsonStringEnumConverter<ManagementState>)])]
[JsonSerializable(typeof(OptTrainingJobSpec))]
[JsonSerializable(typeof(TrainFile))]
public sealed partial class StrictSpecJson : JsonSerializerContext;

/// <summary>The file of <c>opt-trainer train --config</c>: the job's sections that say what to train, without Kubernetes.</summary>
public sealed record TrainFile
{
    public required ModelSpec Model { get; init; }
    public TrainFileTopology Topology { get; set; } = new();
    public required DataSpec Data { get; init; }
    public TrainingSpec Training { get; set; } = new();
    public CheckpointSpec? Checkpoint { get; init; }

    /// <summary>Stop after this many successful updates, if sooner than totalTokens.</summary>
    public long? MaxSteps { get; init; }
}

/// <summary>The part of topology that <c>opt-trainer train</c> reads.</summary>
public sealed record TrainFileTopology
{
    public int? TensorParallel { get; init; }
    public int? DataParallelShard { get; init; }
}
