using Opt.Api.Protocol;
using Opt.Trainer.Data;
using Opt.Trainer.Tests.Loop;
using Xunit;

namespace Opt.Trainer.Tests.Data;

/// <summary>Corpora on a replaced node: brought there whole or not at all, and the same as before or refused.</summary>
public sealed class StagingTests : IDisposable
{
    private readonly TemporaryFolder _shared = new(), _node = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _shared.Dispose();
        _node.Dispose();
    }

    [Fact]
    public async Task A_corpus_is_copied_once_verified_and_read_as_at_its_source()
    {
        TinyRun.WriteTokens(_shared, count: 500);

        Assert.Equal(1000, await StageAsync());
        Assert.Equal(0, await StageAsync());

        using Corpus here = Corpus.Open(_node.Path, "tokens"), there = Corpus.Open(_shared.Path, "tokens");
        Assert.Equal(there.Metadata, here.Metadata);
        Assert.Equal(3, Directory.GetFiles(_node.Path).Length);
    }

    [Fact]
    public async Task A_copy_that_was_broken_off_or_is_of_older_bytes_is_made_again()
    {
        TinyRun.WriteTokens(_shared, count: 500);
        await StageAsync();
        await File.WriteAllBytesAsync(_node["tokens.bin"], new byte[10], Cancelled);
        Assert.Equal(1000, await StageAsync());

        TinyRun.WriteTokens(_shared, count: 500, seed: 4);
        Assert.Equal(1000, await StageAsync());
        Assert.Equal(await File.ReadAllBytesAsync(_shared["tokens.bin"], Cancelled), await File.ReadAllBytesAsync(_node["tokens.bin"], Cancelled));
    }

    [Fact]
    public async Task Damaged_bytes_are_named_and_leave_no_corpus_behind()
    {
        TinyRun.WriteTokens(_shared, count: 500);
        var bytes = await File.ReadAllBytesAsync(_shared["tokens.bin"], Cancelled);
        bytes[77] ^= 1;
        await File.WriteAllBytesAsync(_shared["tokens.bin"], bytes, Cancelled);

        var refused = await Assert.ThrowsAsync<TrainerException>(() => StageAsync());

        Assert.Equal(WorkerExit.Data, refused.Exit);
        Assert.Contains("tokens.bin is damaged", refused.Message, StringComparison.Ordinal);
        Assert.Throws<TrainerException>(() => Corpus.Open(_node.Path, "tokens"));
    }

    [Fact]
    public void A_corpus_that_changed_under_its_name_is_refused_with_both_digests_and_a_new_name_is_not()
    {
        CorpusDigest before = new() { Path = "pile/train", Digest = "aaaa", Tokens = 10 }, now = before with { Digest = "bbbb" };

        CorpusChecks.Unchanged([before], [before], "the plan");
        CorpusChecks.Unchanged([now with { Path = "pile/train-2" }], [before], "the plan");
        CorpusChecks.Unchanged([now], null, "the plan");
        var refused = Assert.Throws<TrainerException>(() => CorpusChecks.Unchanged([now], [before], "the plan"));

        Assert.Equal(WorkerExit.Data, refused.Exit);
        Assert.Contains("corpus pile/train changed: here it has 10 tokens and the digest bbbb, in the plan 10 and aaaa", refused.Message, StringComparison.Ordinal);
    }

    private Task<long> StageAsync() => CorpusFolder.StageAsync(_shared.Path, _node.Path, "tokens", Cancelled);
}
