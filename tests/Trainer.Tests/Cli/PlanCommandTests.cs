using Opt.Trainer.Cli;
using Opt.Trainer.Tests.Data;
using Xunit;

namespace Opt.Trainer.Tests.Cli;

public sealed class PlanCommandTests
{
    [Fact]
    public void The_plan_of_the_175b_run_has_its_published_numbers()
    {
        var plan = Plan("--model", "opt-175b", "--nodes", "124", "--accelerators", "8", "--tensor", "8");
        string[] facts =
        [
            "174,604,468,224 parameters on 992 accelerators, tensor parallel 8 x data parallel 124", "2,031,616 tokens, micro-batch 8 x 2048",
            "226,576,896 parameters; shard 1,827,234, padding 120", "102,432,768 parameters; shard 826,071, padding 36", "176,240,535; all in 16 bit 349.2 GB",
            "1.748 TB, 1.762 GB each", "402.7 MB each", "1.433931e12 FLOP per token, 4.3018e23 for 300B tokens", "101,695.30 tokens/s, 19.977 s per step, 34.14 days for 300B tokens",
            "47.1 % with recomputation, 35.4 % of model FLOPs",
        ];
        Assert.All(facts, fact => Assert.Contains(fact, plan, StringComparison.Ordinal));
        Assert.Contains("128.963 GB, or 130.066 GB if blocks still there were gathered again", plan, StringComparison.Ordinal);
        Assert.Contains("33.08 days", Plan("--model", "opt-175b", "--nodes", "128", "--accelerators", "8", "--tensor", "8", "--batch-tokens", "2097152"), StringComparison.Ordinal);
    }

    [Fact]
    public void Custom_sizes_copies_of_the_state_and_weights_without_a_master_are_planned_too()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["custom.yaml"], """
            model: {layers: 4, hiddenSize: 256, heads: 4}
            data: {root: /data, train: [{path: tokens}]}
            training: {batchTokens: 65536, sequenceLength: 512, learningRate: {peak: 0.001}}
            """);
        Assert.Contains("16,553,984 parameters on 8 accelerators, tensor parallel 1 x data parallel 8\n", Plan("--config", folder["custom.yaml"]), StringComparison.Ordinal);
        var copies = Plan("--model", "opt-125m", "--accelerators", "8", "--data-parallel-shard", "4", "--no-master-weights");
        Assert.Contains("data parallel 8 (2 copies of the state)", copies, StringComparison.Ordinal);
        Assert.Contains("1.503 TB".Replace("1.503", "0.002", StringComparison.Ordinal), copies, StringComparison.Ordinal);   // one copy is stored, not two
    }

    [Theory]
    [InlineData("does not divide model.heads 12", "--model", "opt-125m", "--accelerators", "8", "--tensor", "8")]
    [InlineData("training.batchTokens: 5000 is not a multiple of training.sequenceLength 2048", "--model", "opt-125m", "--batch-tokens", "5000")]
    [InlineData("training.microBatchSequences: 0 is not allowed", "--model", "opt-125m", "--micro-batch", "0")]
    [InlineData("training.sequenceLength: 4096 is longer than model.maxPositions 2048", "--model", "opt-125m", "--sequence-length", "4096")]
    [InlineData("the 350M layout", "--model", "opt-350m", "--tensor", "2")]
    [InlineData("opt-9000m", "--model", "opt-9000m")]
    [InlineData("--data-parallel-shard: 3 does not divide the 8", "--model", "opt-125m", "--accelerators", "8", "--data-parallel-shard", "3")]
    [InlineData("give exactly one of", "--nodes", "2")]
    public void A_layout_that_cannot_run_is_refused_with_the_reason(string reason, params string[] arguments) =>
        Assert.Contains(reason, Assert.Throws<TrainerException>(() => Plan(arguments)).Message, StringComparison.Ordinal);

    private static string Plan(params string[] arguments) => string.Join('\n', PlanCommand.Report(PlanCommand.Create().Parse(arguments))) + '\n';
}
