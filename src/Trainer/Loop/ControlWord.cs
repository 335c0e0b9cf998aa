using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Loop;

/// <summary>What rank 0 tells all ranks at the start of every attempt: fixed size, so that it is one small broadcast; a body follows only when the revision is new.</summary>
/// <param name="Attempt">The attempt about to start; ranks that count differently have lost each other.</param>
/// <param name="Revision">Revision of the live values from now on.</param>
/// <param name="BodyLength">Bytes of the new values as JSON; 0 when the revision is the one in force.</param>
internal readonly record struct ControlWord(long Epoch, long Attempt, long Revision, long BodyLength, ControlFlags Flags)
{
    public const int Words = 5;

    public long[] ToWords() => [Epoch, Attempt, Revision, BodyLength, (long)Flags];

    public static ControlWord From(long[] words) => new(words[0], words[1], words[2], words[3], (ControlFlags)words[4]);
}

/// <summary>What to do before the attempt.</summary>
[Flags]
internal enum ControlFlags
{
    None = 0,

    /// <summary>Take a snapshot of the state, then go on.</summary>
    Save = 1,

    /// <summary>End, after waiting for saves under way.</summary>
    Finish = 2,

    /// <summary>The end was asked for, not reached.</summary>
    OnRequest = 4,

    /// <summary>The state was saved before an end on request.</summary>
    Drained = 8,

    /// <summary>Take a snapshot for the memory of the nodes alone, then go on. Never together with <see cref="Save"/>.</summary>
    SaveToMemory = 16,
}

/// <summary>Live values as every rank holds them, with the digest by which ranks prove that theirs are the same.</summary>
/// <param name="Checkpoint">How checkpoints are saved, kept and judged; its store is the plan's for the life of a worker.</param>
internal sealed record AppliedValues(HyperParameters Values, CheckpointSpec Checkpoint, int Revision)
{
    /// <summary>First 8 bytes of the SHA-256 of the values as JSON, without the sign bit.</summary>
    public long Digest { get; } = BinaryPrimitives.ReadInt64LittleEndian(SHA256.HashData(ToBody(Values, Checkpoint))) & long.MaxValue;

    /// <summary>What is sent to the other ranks.</summary>
    public byte[] ToBody() => ToBody(Values, Checkpoint);

    public static AppliedValues FromBody(byte[] body, int revision) => JsonSerializer.Deserialize(body, ProtocolJson.Default.ControlRequest) is { HyperParameters: { } values, Checkpoint: { } checkpoint }
        ? new(values, checkpoint, revision)
        : throw new TrainerException(WorkerExit.ControlDiverged, "the control word carried no values");

    /// <summary>With what <paramref name="request"/> gives.</summary>
    public AppliedValues With(ControlRequest request) =>
        this with { Values = request.HyperParameters ?? Values, Checkpoint = (request.Checkpoint ?? Checkpoint) with { Store = Checkpoint.Store } };

    /// <summary>The same values, whatever their revision.</summary>
    public bool IsSame(AppliedValues other) => (Values, Checkpoint) == (other.Values, other.Checkpoint);

    private static byte[] ToBody(HyperParameters values, CheckpointSpec checkpoint) =>
        JsonSerializer.SerializeToUtf8Bytes(new ControlRequest { Epoch = 0, Revision = 0, HyperParameters = values, Checkpoint = checkpoint }, ProtocolJson.Default.ControlRequest);
}
