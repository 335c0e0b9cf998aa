using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Xunit;

namespace Opt.Api.Tests;

public sealed class ProtocolJsonTests
{
    private static readonly OptTrainingJobSpec Spec = JsonSerializer.Deserialize(Yaml.Parse("""
        model: {preset: opt-175b}
        topology: {nodes: 124, spareNodes: 6}
        pod: {image: example/opt-trainer:1}
        data: {train: [{path: pile/train, weight: 1}]}
        training: {precision: fp16, learningRate: {warmup: {steps: 2000}}}
        checkpoint: {store: {directory: {path: /checkpoints}}, every: auto}
        failurePolicy: {hangAtLeast: 1m30s}
        """)[0], StrictSpecJson.Default.OptTrainingJobSpec)!;

    [Fact]
    public void A_minimal_175B_job_resolves_to_what_OPT_ran()
    {
        var config = TrainingConfigResolver.Resolve(Spec);

        Assert.Equal(174_604_468_224, config.Model.ParameterCount);
        Assert.Equal(992, config.BatchSequences);
        Assert.Equal(8, config.TensorParallel);
        Assert.Equal(132, config.HyperParameters.LossScaleWindow);
        Assert.Equal(2000, config.HyperParameters.WarmupSteps);
        Assert.Equal(0.0, config.HyperParameters.LearningRateAt(0));
        Assert.Equal(1.2e-4, config.HyperParameters.LearningRateAt(2000));
    }

    [Fact]
    public void A_config_survives_a_round_trip_with_value_equality()
    {
        var config = TrainingConfigResolver.Resolve(Spec);
        var back = JsonSerializer.Deserialize(JsonSerializer.Serialize(config, ProtocolJson.Default.TrainingConfig), ProtocolJson.Default.TrainingConfig);
        Assert.Equal(config, back);
    }

    [Fact]
    public void An_unknown_field_is_refused_by_name()
    {
        var error = Assert.Throws<JsonException>(() => JsonSerializer.Deserialize("""{"model":{"presett":"opt-175b"}}""", StrictSpecJson.Default.OptTrainingJobSpec));
        Assert.Contains("presett", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("opt-8m", 524_288, 1e-3, 715, 572_204)]
    [InlineData("opt-125m", 524_288, 6e-4, 715, 572_204)]
    [InlineData("opt-350m", 524_288, 3e-4, 715, 572_204)]
    [InlineData("opt-760m", 524_288, 2.5e-4, 715, 572_204)]
    [InlineData("opt-1.3b", 1_048_576, 2e-4, 357, 286_102)]
    [InlineData("opt-2.7b", 1_048_576, 1.6e-4, 357, 286_102)]
    [InlineData("opt-6.7b", 2_097_152, 1.2e-4, 178, 143_051)]
    [InlineData("opt-13b", 4_194_304, 1e-4, 89, 71_525)]
    [InlineData("opt-30b", 4_194_304, 1e-4, 89, 71_525)]
    [InlineData("opt-66b", 2_097_152, 8e-5, 178, 143_051)]
    [InlineData("opt-175b", 2_031_616, 1.2e-4, 2000, 147_665)]
    public void Presets_have_the_batch_and_the_schedule_of_the_runs(string name, long batch, double peak, long warmup, long decay)
    {
        var spec = Spec with { Model = new() { Preset = name }, Topology = new() { Nodes = 1 }, Training = new() };
        var config = TrainingConfigResolver.Resolve(spec);
        Assert.Equal(batch, config.BatchTokens);
        var live = config.HyperParameters;
        Assert.Equal((peak, warmup, decay, 1.0), (live.PeakLearningRate, live.WarmupSteps, live.DecaySteps, live.GradientClip));
        Assert.Equal(0.1 * peak, live.EndLearningRate, 1e-12);
    }

    [Theory]
    [InlineData("opt-125m", 125_239_296)]
    [InlineData("opt-350m", 331_196_416)]
    [InlineData("opt-1.3b", 1_315_758_080)]
    [InlineData("opt-2.7b", 2_651_596_800)]
    [InlineData("opt-6.7b", 6_658_473_984)]
    [InlineData("opt-13b", 12_853_473_280)]
    [InlineData("opt-30b", 29_974_540_288)]
    [InlineData("opt-66b", 65_719_701_504)]
    [InlineData("opt-175b", 174_604_468_224)]
    public void Presets_have_the_published_number_of_parameters(string name, long parameters) =>
        Assert.Equal(parameters, ModelPreset.Find(name)!.Dimensions.ParameterCount);
}
