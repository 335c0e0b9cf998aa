using Opt.Trainer.Data;
using Opt.Trainer.Tests.Data;
using Opt.Trainer.Tokenization;
using Xunit;

namespace Opt.Trainer.Tests.Tokenization;

public sealed class CorpusTokenizerTests
{
    [Fact]
    public async Task Documents_are_written_in_order_each_ended_by_its_token()
    {
        using var folder = new TemporaryFolder();
        var vocabulary = OptVocabulary.Gpt2;
        File.WriteAllText(folder["b.jsonl"], "{\"text\": \"Hello world \\n\", \"meta\": {}}\n\n{\"text\":\"Hello\"}\n{\"text\":\" \"}\n");
        var metadata = await new CorpusTokenizer(vocabulary, 50256, DocumentBoundary.Auto).RunAsync([folder["b.jsonl"]], folder["out"], null, TestContext.Current.CancellationToken);
        Assert.Equal((5L, 2L, vocabulary.Digest), (metadata.Tokens, metadata.Documents, metadata.VocabularyDigest));
        using var corpus = Corpus.Open(folder.Path, "out");
        var tokens = new ushort[5];
        corpus.Read(0, tokens);
        Assert.Equal([15496, 995, 50256, 15496, 50256], tokens.Select(t => (int)t));
    }

    [Fact]
    public void Blank_lines_can_end_documents_while_one_ends_a_paragraph()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.txt"], "one\n\nstill one\n\n\n\n\ntwo\n");
        Assert.Equal(["one\n\nstill one", "two"], DocumentSource.Read(folder["a.txt"], DocumentBoundary.BlankLines));
        Assert.Equal(["one\n\nstill one\n\n\n\n\ntwo"], DocumentSource.Read(folder["a.txt"], DocumentBoundary.Auto));
    }

    [Fact]
    public void A_bad_line_is_named()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.jsonl"], "{\"text\":\"x\"}\n{\"txt\":\"y\"}\n");
        var refusal = Assert.Throws<TrainerException>(() => DocumentSource.Read(folder["a.jsonl"], DocumentBoundary.Auto).ToList());
        Assert.Contains("a.jsonl, line 2: no member \"text\"", refusal.Message, StringComparison.Ordinal);
    }
}
