using Opt.Api.Protocol;

namespace Opt.Trainer.Diagnostics;

/// <summary>How much of everything a run tests. All of it is bounded, whatever the node offers.</summary>
/// <param name="MatrixSize">Rows of the square matrices.</param>
/// <param name="MatrixTime">How long products are computed.</param>
/// <param name="MemoryBytes">Host memory written and read back, at most; never more than a quarter of what is free.</param>
/// <param name="MemoryTime">How long that may take.</param>
/// <param name="DiskBytes">Size of the file written, synced, and read back.</param>
/// <param name="TrainingSteps">Optimizer steps of the tiny model.</param>
/// <param name="MessageBytes">Payload of one collective.</param>
internal sealed record Effort(int MatrixSize, TimeSpan MatrixTime, long MemoryBytes, TimeSpan MemoryTime, long DiskBytes, int TrainingSteps, long MessageBytes)
{
    public static Effort Of(DiagnosticsSet set) => set is DiagnosticsSet.Full
        ? new(1024, TimeSpan.FromSeconds(10), 4L << 30, TimeSpan.FromSeconds(20), 256L << 20, 8, 64L << 20)
        : new(512, TimeSpan.FromSeconds(1), 64L << 20, TimeSpan.FromSeconds(2), 8L << 20, 2, 4L << 20);
}
