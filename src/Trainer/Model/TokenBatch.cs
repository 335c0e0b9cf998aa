using static Opt.Torch.torch;

namespace Opt.Trainer.Model;

/// <summary>The sequences of one micro-batch on one rank.</summary>
/// <param name="Ids">Token ids, int64 [sequences, length].</param>
/// <param name="Targets">Next tokens, int64 [sequences * length]; <see cref="Ignored"/> where the loss has weight 0.</param>
/// <param name="Samples">Global index of each sequence, for dropout.</param>
/// <param name="Tokens">Targets that count.</param>
/// <param name="HasPadding">Some input is the padding token, whose embedding gets no gradient from the input side.</param>
internal sealed record TokenBatch(Tensor Ids, Tensor Targets, long[] Samples, long Tokens, bool HasPadding) : IDisposable
{
    public const long Ignored = -1;

    public bool HasIgnored => Tokens < Targets.size(0);

    /// <param name="rows">Token ids of each sequence: length inputs and one more target.</param>
    /// <param name="counted">Targets of each row that count, from the front: all, none (padding sequences), or part (a last, partial block).</param>
    public static TokenBatch From(ReadOnlySpan<ushort> rows, int length, long[] samples, ReadOnlySpan<int> counted, Device device)
    {
        var ids = new long[samples.Length * length];
        var targets = new long[ids.Length];
        var (tokens, padding) = (0L, false);
        for (var row = 0; row < samples.Length; row++)
        {
            var source = rows.Slice(row * (length + 1), length + 1);
            for (var t = 0; t < length; t++)
            {
                ids[row * length + t] = source[t];
                targets[row * length + t] = t < counted[row] ? source[t + 1] : Ignored;
                padding |= source[t] == OptParameters.PaddingId;
            }

            tokens += counted[row];
        }

        return new(tensor(ids, [samples.Length, length], device), tensor(targets, device), samples, tokens, padding);
    }

    public void Dispose()
    {
        Ids.Dispose();
        Targets.Dispose();
    }
}
