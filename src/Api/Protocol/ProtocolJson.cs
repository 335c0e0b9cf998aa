using System.Text.Json;
using System.Text.Json.Serialization;
using Opt.Api.V1Alpha1;

namespace Opt.Api.Protocol;

/// <summary>Source-generated JSON of the agent protocol and of plans: camelCase, enums as camelCase strings, absent for null, unknown members ignored.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, IgnoreReadOnlyProperties = true, Converters = [
    typeof(CamelCaseEnum<AgentState>), typeof(CamelCaseEnum<WorkerState>), typeof(CamelCaseEnum<WorkerExit>), typeof(CamelCaseEnum<ControlCommand>),
    typeof(CamelCaseEnum<HealthVerdict>), typeof(CamelCaseEnum<BusyUpload>), typeof(CamelCaseEnum<Precision>), typeof(CamelCaseEnum<ActivationCheckpointing>), typeof(CamelCaseEnum<OptimizerType>),
    typeof(CamelCaseEnum<WeightDecayRule>), typeof(CamelCaseEnum<WeightDecayScope>), typeof(CamelCaseEnum<LossScaleWindow>), typeof(CamelCaseEnum<DataOrder>), typeof(CamelCaseEnum<DeviceKind>),
    typeof(CamelCaseEnum<HyperParameterField>), typeof(CamelCaseEnum<RollbackTarget>), typeof(CamelCaseEnum<MissingTarget>), typeof(CamelCaseEnum<SkipFrom>),
    typeof(CamelCaseEnum<DiagnosticsSet>), typeof(CamelCaseEnum<DiagnosticsState>), typeof(CamelCaseEnum<DiagnosticOutcome>), typeof(CamelCaseEnum<CheckpointTier>)])]
[JsonSerializable(typeof(RunPlan))]
[JsonSerializable(typeof(StepRecord))]
[JsonSerializable(typeof(AgentStatus))]
[JsonSerializable(typeof(StepsPage))]
[JsonSerializable(typeof(FenceRequest))]
[JsonSerializable(typeof(LogbookRequest))]
[JsonSerializable(typeof(LogbookPage))]
[JsonSerializable(typeof(ArchivePage))]
[JsonSerializable(typeof(Catalogue))]
[JsonSerializable(typeof(ControlRequest))]
[JsonSerializable(typeof(AgentError))]
[JsonSerializable(typeof(DiagnosticsRequest))]
[JsonSerializable(typeof(DiagnosticsReport))]
[JsonSerializable(typeof(StacksReport))]
[JsonSerializable(typeof(CopyList))]
[JsonSerializable(typeof(CheckpointMark))]
[JsonSerializable(typeof(CheckpointSummary))]
[JsonSerializable(typeof(HyperParameters))]
[JsonSerializable(typeof(TrainingConfig))]
[JsonSerializable(typeof(StoreSpec))]
public sealed partial class ProtocolJson : JsonSerializerContext;
