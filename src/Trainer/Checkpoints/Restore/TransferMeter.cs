namespace Opt.Trainer.Checkpoints;

/// <summary>Turns bytes moved by several threads into a share of the whole.</summary>
internal sealed class TransferMeter(long total, IProgress<double>? progress)
{
    private long _done;

    public void Add(long bytes)
    {
        var done = Interlocked.Add(ref _done, bytes);
        progress?.Report(total == 0 ? 1 : Math.Min(1, (double)done / total));
    }

    public void Complete() => progress?.Report(1);
}
