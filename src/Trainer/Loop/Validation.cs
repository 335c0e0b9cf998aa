using Opt.Api;
using Opt.Api.Protocol;
using Opt.Trainer.Data;
using Opt.Trainer.Model;
using Opt.Trainer.Parallel;
using static Opt.Torch.torch;

namespace Opt.Trainer.Loop;

/// <summary>
/// Mean loss of each validation corpus over all its tokens: the blocks of training (cut without overlap), the last one padded and counted in
/// part, dropout off. Blocks are dealt to data-parallel ranks in turn; ranks that run out go on with padding.
/// </summary>
internal sealed class Validation : IDisposable
{
    private readonly Corpus[] _corpora;
    private readonly int _length, _microBatch;

    /// <param name="training">Whose vocabulary the validation corpora must have; null for any.</param>
    /// <exception cref="TrainerException">Data, as <see cref="Dataset.Open"/>.</exception>
    public Validation(TrainingConfig config, Dataset? training = null)
    {
        _corpora = [.. config.Data.Validation.Select(c => Corpus.Open(config.Data.Root, c.Path))];
        if (training is not null) CorpusChecks.SameVocabulary([.. training.Corpora, .. _corpora], config.Model);
        (_length, _microBatch) = (config.SequenceLength, config.MicroBatchSequences);
    }

    public IEnumerable<CorpusDigest> Digests => _corpora.Select(c => c.Metadata.ToDigest(c.Name));

    public IReadOnlyList<ValidationLoss> Run(FsdpSchedule schedule, World world, Device device) =>
        [.. _corpora.Select(c => new ValidationLoss(c.Name, Mean(c, schedule, world, device)))];

    public void Dispose()
    {
        foreach (var corpus in _corpora) corpus.Dispose();
    }

    private double Mean(Corpus corpus, FsdpSchedule schedule, World world, Device device)
    {
        var blocks = (corpus.Metadata.Tokens - 2) / (_length + 1) + 1;   // a last block of two tokens or more has a target
        var mesh = world.Mesh;
        var rounds = (blocks + (long)mesh.DataParallel * _microBatch - 1) / ((long)mesh.DataParallel * _microBatch);
        var sums = new double[2];
        for (var round = 0L; round < rounds; round++)
        {
            var first = (round * mesh.DataParallel + mesh.DataRank) * _microBatch;
            using var batch = Read(corpus, first, (int)Math.Clamp(blocks - first, 0, _microBatch), device);
            var pass = schedule.Evaluate(batch);
            if (mesh.TensorRank != 0) continue;
            sums[0] += pass.Loss;
            sums[1] += batch.Tokens;
        }

        world.SumOverAll(sums);
        return sums[0] / sums[1];
    }

    private TokenBatch Read(Corpus corpus, long first, int count, Device device)
    {
        var samples = new long[Math.Max(1, count)];
        var tokens = new ushort[samples.Length * (_length + 1)];
        Array.Fill(tokens, (ushort)OptParameters.PaddingId);
        var counted = new int[samples.Length];
        for (var i = 0; i < count; i++)
        {
            var offset = (first + i) * (_length + 1);
            var present = (int)Math.Min(_length + 1, corpus.Metadata.Tokens - offset);
            corpus.Read(offset, tokens.AsSpan(i * (_length + 1), present));
            counted[i] = present - 1;
        }

        return TokenBatch.From(tokens, _length, samples, counted, device);
    }
}
