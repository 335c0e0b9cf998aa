namespace Opt.Trainer.Checkpoints;

/// <summary>Where one signal of the step records stands against its trailing window. Zeros stand for what is not known.</summary>
/// <param name="Usual">Median of the values before the newest.</param>
/// <param name="Deviation">Robust standard deviation of those (1.4826 x median absolute deviation).</param>
/// <param name="Now">Median of the newest values.</param>
/// <param name="Growth">Median of the newest quarter of the window over that of its oldest quarter.</param>
public readonly record struct SignalTrend(double Usual, double Deviation, double Now, double Growth);
