using System.Text.Json.Serialization;

namespace Opt.Trainer.Tracing;

/// <summary>One event of Chrome's trace event format. <paramref name="Ts"/> and <paramref name="Dur"/> are microseconds; Ts counts from the Unix epoch, so that ranks of one machine line up.</summary>
/// <param name="Name">What: "forward block 3", "all-gather block 4", ...</param>
/// <param name="Cat">Kind: compute, issue, collective, wait, step or memory.</param>
/// <param name="Ph">X: a span; i: an instant; C: counters; M: the name of a process or thread.</param>
/// <param name="Pid">Rank.</param>
/// <param name="Tid">0: the training thread; 1: the one that issues collectives.</param>
internal sealed record TraceEvent(string Name, string Cat, string Ph, double Ts, double? Dur, int Pid, int Tid, TraceArguments? Args);

/// <summary>Values beside an event; what does not apply is left out.</summary>
internal sealed record TraceArguments
{
    public string? Name { get; init; }

    /// <summary>Elements of the whole tensor that a collective moves.</summary>
    public long? Elements { get; init; }

    /// <summary>Bytes held by tensors on the host, now.</summary>
    public long? LiveBytes { get; init; }

    /// <summary>Largest <see cref="LiveBytes"/> of the attempt.</summary>
    public long? PeakBytes { get; init; }

    /// <summary>Bytes this rank sent to its data-parallel group in the attempt.</summary>
    public long? BytesSent { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TraceEvent))]
internal sealed partial class TraceJson : JsonSerializerContext;
