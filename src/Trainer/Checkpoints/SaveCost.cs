namespace Opt.Trainer.Checkpoints;

/// <summary>
/// What one save costs training, for the automatic interval: the time it stood still, and how much longer the attempt took beside which the state was
/// copied than attempts without a save. That is taken for no more than the copy took, since attempts vary for many reasons, and for no less than a tenth
/// of it, since a save does not end with the copy. Medians, for the same reason.
/// </summary>
internal sealed class SaveCost
{
    private const int Attempts = 16, Saves = 8;
    private const double AtLeast = 0.1;
    private readonly Queue<double> _plain = new(), _costs = new();

    /// <summary>Median of the newest saves; zero before the first.</summary>
    public TimeSpan Value => _costs.Count == 0 ? TimeSpan.Zero : TimeSpan.FromSeconds(Median(_costs));

    /// <summary>An attempt is over.</summary>
    /// <param name="took">Without the time it stood still for a save.</param>
    /// <param name="copy">The copy that went on beside it, and all the time training stood still for it; null for an attempt without one.</param>
    public void Note(TimeSpan took, SnapshotTime? copy)
    {
        if (copy is not { } snapshot)
        {
            Keep(_plain, took.TotalSeconds, Attempts);
            return;
        }

        var hidden = Math.Max(0, (snapshot.Took - snapshot.Waited).TotalSeconds);
        var longer = _plain.Count == 0 ? hidden : Math.Clamp(took.TotalSeconds - Median(_plain), AtLeast * hidden, hidden);
        Keep(_costs, snapshot.Waited.TotalSeconds + longer, Saves);
    }

    private static void Keep(Queue<double> values, double value, int count)
    {
        values.Enqueue(value);
        if (values.Count > count) values.Dequeue();
    }

    private static double Median(Queue<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
