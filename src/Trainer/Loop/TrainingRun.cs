using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Data;
using Opt.Trainer.Parallel;
using Opt.Trainer.Workers;
using static Opt.Torch.torch;

namespace Opt.Trainer.Loop;

/// <summary>What a training loop works with; its owner disposes the parts.</summary>
internal sealed record TrainingRun
{
    public required RunPlan Plan { get; init; }
    public required World World { get; init; }
    public required Device Device { get; init; }
    public required TrainingEngine Engine { get; init; }
    public required Dataset Data { get; init; }
    public required Validation Validation { get; init; }
    public required IWorkerChannel Channel { get; init; }

    /// <summary>Null when the configuration names no store: nothing is saved.</summary>
    public required ICheckpointSession? Checkpoints { get; init; }

    public required TimeProvider Time { get; init; }

    /// <summary>One line for people.</summary>
    public required Action<string> Log { get; init; }

    /// <summary>Set by SIGTERM: this rank asks that all stop.</summary>
    public Func<bool> StopRequested { get; init; } = () => false;

    /// <summary>For tests: called with the attempt and the reduced gradient before it is looked at.</summary>
    public Action<long, Tensor>? AfterBackward { get; init; }

    public TrainingConfig Config => Plan.Training;
}
