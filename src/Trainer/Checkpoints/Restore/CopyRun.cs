namespace Opt.Trainer.Checkpoints;

/// <summary>A contiguous copy of fp32 elements from an object into a buffer.</summary>
/// <param name="Object">Index in the manifest.</param>
/// <param name="SourceByte">Offset in the object.</param>
/// <param name="Buffer">Index of the target buffer.</param>
/// <param name="Target">First element in the target buffer.</param>
/// <param name="Length">Elements.</param>
internal readonly record struct CopyRun(int Object, long SourceByte, int Buffer, long Target, long Length)
{
    public long SourceEnd => SourceByte + Length * sizeof(float);
}
