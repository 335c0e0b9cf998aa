using Opt.Api;
using Opt.Trainer.Parallel;
using Opt.Trainer.Tests.Data;
using Opt.Trainer.Tests.Loop;
using Opt.Trainer.Tracing;
using Xunit;

namespace Opt.Trainer.Tests.Parallel;

/// <summary>What `opt-trainer train --profile` shows of real ranks, against what the formulas say.</summary>
public sealed class ProfileTests : IDisposable
{
    private const int Rounds = 2, Sequences = 4, Length = 64;

    private static readonly ModelDimensions Model = new()
    {
        Layers = 4, HiddenSize = 64, Heads = 4, FfnSize = 256, VocabSize = 1024, MaxPositions = 64, EmbeddingSize = 64, PreNorm = true, Dropout = 0.1, AttentionDropout = 0.1,
    };

    private readonly TemporaryFolder _folder = new();

    public ProfileTests()
    {
        TinyRun.RequireTorch();
        TinyRun.WriteTokens(_folder);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1, 1, "none", "fp32")]
    [InlineData(2, 2, "full", "fp32")]
    [InlineData(2, 1, "none", "bf16")]
    public async Task Ranks_issue_one_order_send_what_the_formula_says_and_hold_no_more(int ranks, int tensor, string checkpointing, string precision)
    {
        var events = await Profile(ranks, tensor, checkpointing, precision);
        var batch = ranks * Rounds * Sequences * Length;
        var formula = new Footprint(new(Model, ranks * tensor, tensor, Length, batch, precision == "fp32" ? 4 : 2, Sequences, checkpointing == "full", Reshard: true) { OnCpu = true });
        for (var rank = 0; rank < ranks * tensor; rank++)
        {
            var mine = events.Where(e => e.Pid == rank).ToList();
            var totals = mine.Where(e => e.Name == "attempt totals").Select(e => e.Args!).ToList();
            Assert.Equal(3, totals.Count);
            Assert.All(totals, t => Assert.Equal(formula.WireBytesPerStep, t.BytesSent));
            // The median: where a thread of the collectives is late to let go of a block, one attempt holds it a moment longer.
            Assert.InRange(totals.Select(t => t.PeakBytes!.Value).Order().ElementAt(1) / (double)formula.Memory.Peak, 0.9, 1.1);
            Assert.Equal(Names(events, 0, "issue"), Names(events, rank, "issue"));
            Assert.Equal(Names(events, rank, "issue"), Names(events, rank, "collective"));
            Assert.Equal(3 * Rounds * Model.Layers, Names(events, rank, "compute").Count(n => n.StartsWith("backward block", StringComparison.Ordinal)));
        }
    }

    private static List<string> Names(IEnumerable<TraceEvent> events, int rank, string category) =>
        [.. events.Where(e => e.Pid == rank && e.Cat == category).OrderBy(e => e.Ts).Select(e => e.Name)];

    private async Task<IReadOnlyList<TraceEvent>> Profile(int ranks, int tensor, string checkpointing, string precision)
    {
        File.WriteAllText(_folder["train.yaml"], $$"""
            model: {layers: 4, hiddenSize: 64, heads: 4, vocabSize: 1024, maxPositions: 64}
            topology: {tensorParallel: {{tensor}}}
            data: {root: "{{_folder.Path}}", train: [{path: tokens}]}
            training: {batchTokens: {{ranks * Rounds * Sequences * Length}}, sequenceLength: {{Length}}, totalTokens: 100000, precision: {{precision}}, microBatchSequences: {{Sequences}}, activationCheckpointing: {{checkpointing}}, learningRate: {peak: 0.001 } }
            maxSteps: 3
            """);
        var trace = _folder["trace.json"];
        var (exit, error) = await TrainProcess.RunAsync(TestContext.Current.CancellationToken, "train", "--config", _folder["train.yaml"], "--workers", $"{ranks * tensor}", "--profile", trace, "--quiet");
        Assert.True(exit == 0, error);
        return TraceFiles.Read(trace);
    }
}
