using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Data;

/// <summary>The corpora of one run with the order of their samples. A sample is sequenceLength + 1 consecutive tokens, cut without overlap.</summary>
public sealed class Dataset : IDisposable
{
    private readonly Corpus[] _corpora;
    private readonly SampleOrder _order;

    private Dataset(Corpus[] corpora, SampleOrder order, int sequenceLength)
    {
        _corpora = corpora;
        _order = order;
        SequenceLength = sequenceLength;
    }

    public int SequenceLength { get; }

    /// <summary>Samples in one round over all corpora.</summary>
    public long Samples => _order.Total;

    /// <summary>The corpora in the order of the configuration.</summary>
    public IReadOnlyList<Corpus> Corpora => _corpora;

    public IEnumerable<CorpusDigest> Digests => _corpora.Select(c => c.Metadata.ToDigest(c.Name));

    /// <summary>Opens the training corpora and checks them against each other and the model.</summary>
    /// <exception cref="TrainerException">Data: missing, empty, too short, or tokenised with another vocabulary.</exception>
    public static Dataset Open(DataSpec data, int sequenceLength, long seed, ModelDimensions model)
    {
        if (data.Train.Count == 0) throw new TrainerException(WorkerExit.Configuration, "data.train: at least one corpus is required");
        var corpora = data.Train.Select(c => Corpus.Open(data.Root, c.Path)).ToArray();
        CorpusChecks.SameVocabulary(corpora, model);
        foreach (var corpus in corpora) CorpusChecks.LongEnough(corpus, sequenceLength);
        var blocks = corpora.Select(c => c.Metadata.Tokens / (sequenceLength + 1)).ToArray();
        return new(corpora, new(blocks, [.. data.Train.Select(c => c.Weight)], seed, data.Order), sequenceLength);
    }

    /// <summary>The tokens of a sample: sequenceLength + 1 of them.</summary>
    public void Read(long sample, Span<ushort> tokens)
    {
        var location = _order.At(sample);
        _corpora[location.Corpus].Read(location.Block * (SequenceLength + 1), tokens[..(SequenceLength + 1)]);
    }

    public void Dispose()
    {
        foreach (var corpus in _corpora) corpus.Dispose();
    }
}
