using System.Text.Json;
using System.Text.Json.Serialization;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>Source-generated JSON of what lies in a checkpoint store.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, IgnoreReadOnlyProperties = true, Converters = [
    typeof(CamelCaseEnum<LogEntryKind>), typeof(CamelCaseEnum<HealthVerdict>), typeof(CamelCaseEnum<OptimizerType>), typeof(CamelCaseEnum<WeightDecayRule>), typeof(CamelCaseEnum<WeightDecayScope>),
    typeof(CamelCaseEnum<LossScaleWindow>), typeof(CamelCaseEnum<RestoreTrouble>), typeof(CamelCaseEnum<CheckpointTier>)])]
[JsonSerializable(typeof(LogEntry))]
[JsonSerializable(typeof(LogSnapshot))]
[JsonSerializable(typeof(LogArchive))]
[JsonSerializable(typeof(Manifest))]
[JsonSerializable(typeof(SliceTable))]
[JsonSerializable(typeof(RankShard))]
[JsonSerializable(typeof(ShardResult))]
[JsonSerializable(typeof(CopyChoice))]
[JsonSerializable(typeof(RestoreResult))]
[JsonSerializable(typeof(RestoreCandidates))]
internal sealed partial class CheckpointJson : JsonSerializerContext;
