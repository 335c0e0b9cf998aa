using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using Opt.Api.Protocol;

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
}

/// <summary>Live values as every rank holds them, with the digest by which ranks prove that theirs are the same.</summary>
internal sealed record AppliedValues(HyperParameters Values, int Revision)
{
    /// <summary>First 8 bytes of the SHA-256 of the values as JSON, without the sign bit.</summary>
    public long Digest { get; } = BinaryPrimitives.ReadInt64LittleEndian(SHA256.HashData(ToBody(Values))) & long.MaxValue;

    public static byte[] ToBody(HyperParameters values) => JsonSerializer.SerializeToUtf8Bytes(values, ProtocolJson.Default.HyperParameters);

    public static HyperParameters FromBody(byte[] body) => JsonSerializer.Deserialize(body, ProtocolJson.Default.HyperParameters)
        ?? throw new TrainerException(WorkerExit.ControlDiverged, "the control word carried no values");
}
