using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;

namespace Opt.Trainer.Optimization;

/// <summary>
/// Dynamic loss scaling as metaseq's dynamic_loss_scaler.py, as a value. Fixed window: as OPT-175B ran, clamped at the floor. Adaptive window
/// (metaseq after PR 115): the window doubles on growth and halves on overflow, and below the floor the scale is put back. Tolerance 0: every
/// overflow halves.
/// </summary>
public sealed record LossScaler(double Scale, int Window, long Iteration, long LastOverflow)
{
    /// <summary>Consecutive overflows at the floor after which scaling cannot help any more. metaseq's own abort could not fire.</summary>
    public const int AbortAfter = 100;

    /// <summary>Overflows in a row while the scale was at its floor.</summary>
    public int StuckAtFloor { get; init; }

    public static LossScaler Start(HyperParameters values) => new(values.LossScaleInitial, values.LossScaleWindow, 0, -1);

    /// <summary>No scaling: fp32 and bf16.</summary>
    public static readonly LossScaler None = new(1, int.MaxValue, 0, -1);

    /// <summary>True when nothing but overflows came for so long at the lowest scale that the run must end.</summary>
    public bool GivesUp => StuckAtFloor >= AbortAfter;

    /// <summary>The scaler after one attempt under the values in force.</summary>
    public LossScaler After(bool overflow, HyperParameters values)
    {
        if (ReferenceEquals(this, None)) return this;
        var adaptive = values.LossScaleWindowRule == LossScaleWindow.Adaptive;
        var scaler = adaptive ? this : this with { Window = values.LossScaleWindow };
        scaler = overflow ? scaler.Shrink(adaptive, values.LossScaleFloor) : scaler.Grow(adaptive);
        return scaler with { Iteration = Iteration + 1 };
    }

    /// <summary>The scaler set to a scale by hand: its counts begin anew.</summary>
    public LossScaler Reset(double scale) => ReferenceEquals(this, None) ? this : this with { Scale = scale, LastOverflow = Iteration - 1, StuckAtFloor = 0 };

    public LossScalerState ToState() => new()
    {
        Scale = Scale,
        Window = Window,
        Iteration = Iteration,
        LastOverflow = LastOverflow,
        LastRescale = -1,
        OverflowsSinceRescale = StuckAtFloor,
    };

    public static LossScaler FromState(LossScalerState state) =>
        new(state.Scale, state.Window, state.Iteration, state.LastOverflow) { StuckAtFloor = (int)state.OverflowsSinceRescale };

    private LossScaler Grow(bool adaptive)
    {
        var grown = (Iteration - LastOverflow) % Window == 0;
        var scaler = this with { StuckAtFloor = 0 };
        return grown ? scaler with { Scale = 2 * Scale, Window = adaptive ? 2 * Window : Window } : scaler;
    }

    private LossScaler Shrink(bool adaptive, double floor)
    {
        var stuck = Scale <= floor;
        return this with
        {
            Scale = stuck ? Scale : Math.Max(floor, Scale / 2),
            Window = adaptive ? Math.Max(1, Window / 2) : Window,
            LastOverflow = Iteration,
            StuckAtFloor = stuck ? StuckAtFloor + 1 : 0,
        };
    }
}
