using System.Text.Json;
using System.Text.Json.Serialization;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Workers;

/// <summary>
/// One line from a worker to its agent. The link is a socket (descriptor <see cref="WorkerEnvironment.ChannelVariable"/>): worker to agent lines of
/// this, agent to worker lines of <see cref="ControlRequest"/>, end of file when the other side is gone.
/// </summary>
internal sealed record WorkerReport
{
    public WorkerState? State { get; init; }
    public double? RestoreProgress { get; init; }
    public long? Attempt { get; init; }
    public StepRecord? Step { get; init; }
    public WorkerExit? Exit { get; init; }

    /// <summary>Why it ends; with <see cref="Exit"/>.</summary>
    public string? Message { get; init; }

    /// <summary>How far diagnostics are, when this process runs them.</summary>
    public DiagnosticsReport? Diagnostics { get; init; }
}

/// <summary>Source-generated JSON of the link.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, IgnoreReadOnlyProperties = true, Converters = [
    typeof(CamelCaseEnum<WorkerState>), typeof(CamelCaseEnum<WorkerExit>), typeof(CamelCaseEnum<ControlCommand>),
    typeof(CamelCaseEnum<OptimizerType>), typeof(CamelCaseEnum<WeightDecayRule>), typeof(CamelCaseEnum<WeightDecayScope>), typeof(CamelCaseEnum<LossScaleWindow>),
    typeof(CamelCaseEnum<DiagnosticsSet>), typeof(CamelCaseEnum<DiagnosticsState>), typeof(CamelCaseEnum<DiagnosticOutcome>)])]
[JsonSerializable(typeof(WorkerReport))]
[JsonSerializable(typeof(ControlRequest))]
internal sealed partial class LinkJson : JsonSerializerContext;
