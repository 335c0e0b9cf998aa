using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Data;
using Xunit;

namespace Opt.Trainer.Tests.Data;

public sealed class CorpusTests : IDisposable
{
    private static readonly ModelDimensions Model = ModelPreset.Find("opt-8m")!.Dimensions;
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_was_written_is_read_back_at_any_offset()
    {
        Write("a", 3000);
        using var corpus = Corpus.Open(_folder.Path, "a");
        var tokens = new ushort[7];
        corpus.Read(2993, tokens);
        Assert.Equal([2993, 2994, 2995, 2996, 2997, 2998, 2], tokens.Select(t => (int)t));
        Assert.Equal((3000L, 1L), (corpus.Metadata.Tokens, corpus.Metadata.Documents));
        Assert.Throws<ArgumentOutOfRangeException>(() => corpus.Read(2994, tokens));
    }

    [Fact]
    public void A_sample_is_the_sequence_and_one_more_token_cut_without_overlap()
    {
        Write("a", 100);
        using var data = Open(DataOrder.Sequential, 9, "a");
        var tokens = new ushort[10];
        data.Read(3, tokens);
        Assert.Equal(Enumerable.Range(30, 10), tokens.Select(t => (int)t));
        Assert.Equal(10, data.Samples);
    }

    [Fact]
    public void Bad_corpora_are_refused_with_the_reason()
    {
        Write("good", 100);
        Write("other", 100, digest: "fedcba9876543210");
        Write("short", 5);
        Write("torn", 100);
        File.WriteAllBytes(_folder["torn.bin"], new byte[30]);
        Write("unindexed", 100);
        File.Delete(_folder["unindexed.idx"]);
        Write("garbled", 100);
        File.WriteAllText(_folder["garbled.json"], "{");
        Write("empty", 100);
        File.WriteAllBytes(_folder["empty.bin"], []);
        Write("big", 100, vocabulary: 60_000);

        Refused("missing", "missing", "Make it with `opt-trainer tokenize`");
        Refused("other", "good", "was tokenised with vocabulary fedcba987654, but", "tokenise both with the same files");
        Refused("short", "short", "has 5 tokens; one sample takes 10");
        Refused("torn", "torn", "has 30 bytes", "100 tokens");
        Refused("unindexed", "unindexed", "unindexed.idx is missing");
        Refused("garbled", "garbled", "is not the metadata of a tokenised corpus");
        Refused("empty", "empty", "is empty");
        Refused("big", "big", "vocabulary of 60000 tokens, but model.vocabSize is 50272");
    }

    private void Refused(string corpus, string first, params string[] because)
    {
        string[] names = first == corpus ? [corpus] : [first, corpus];
        var refusal = Assert.Throws<TrainerException>(() => Open(DataOrder.Shuffled, 9, names).Dispose());
        Assert.Equal(WorkerExit.Data, refusal.Exit);
        Assert.Contains(corpus, refusal.Message, StringComparison.Ordinal);
        Assert.All(because, part => Assert.Contains(part, refusal.Message, StringComparison.Ordinal));
    }

    private Dataset Open(DataOrder order, int sequenceLength, params string[] names) => Dataset.Open(
        new() { Root = _folder.Path, Train = [.. names.Select(n => new CorpusSpec { Path = n })], Order = order }, sequenceLength, seed: 1, Model);

    private void Write(string name, int tokens, string digest = "0123456789abcdef", int vocabulary = 50_265)
    {
        using var writer = new CorpusWriter(_folder[name]);
        writer.Append([.. Enumerable.Range(0, tokens - 1).Select(i => (ushort)i), (ushort)2]);
        writer.Finish(digest, vocabulary, endOfDocument: 2);
    }
}
