namespace Opt.Trainer.Checkpoints;

/// <summary>Copies the whole buffer to host memory.</summary>
/// <param name="destination">As long as the buffer.</param>
public delegate void ReadState(Span<float> destination);

/// <summary>Overwrites elements [offset, offset + source.Length) of the buffer.</summary>
public delegate void WriteState(long offset, ReadOnlySpan<float> source);

/// <summary>
/// One flat fp32 vector of a rank's state: one slot (the master weights or one optimizer state) of the rank's shard of one FSDP unit.
/// All slots of a unit have the same length and the same meaning of each element. Padding is zero.
/// </summary>
public sealed record StateBuffer
{
    /// <summary>Slot of the fp32 master weights; always present.</summary>
    public const string Master = "master";

    /// <summary>First moment of Adam; absent where the optimizer keeps none.</summary>
    public const string FirstMoment = "exp_avg";

    /// <summary>Second moment of Adam; absent where the optimizer keeps none.</summary>
    public const string SecondMoment = "exp_avg_sq";

    /// <summary>FSDP unit, for example "root" or "block.3".</summary>
    public required string Unit { get; init; }

    /// <summary>What the elements are: <see cref="Master"/>, <see cref="FirstMoment"/>, <see cref="SecondMoment"/>.</summary>
    public required string Slot { get; init; }

    /// <summary>Elements, padding included; may be 0.</summary>
    public required int Length { get; init; }

    /// <summary>Called once per save, on a thread of its own, between the begin of a save and the next change of the state.</summary>
    public required ReadState Read { get; init; }

    /// <summary>Called while restoring, from several threads but never twice for one element.</summary>
    public required WriteState Write { get; init; }
}
