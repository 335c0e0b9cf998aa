using Opt.Api;

namespace Opt.Trainer.Checkpoints.Safetensors;

/// <summary>One tensor of a file: bytes [Begin, End) of the data section, row-major, little-endian.</summary>
public sealed record SafetensorsTensor(string Name, SafetensorsDtype Dtype, EquatableList<long> Shape, long Begin, long End)
{
    public long Bytes => End - Begin;
}
