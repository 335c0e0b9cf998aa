using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;
using Opt.Api.Validation;
using Xunit;

namespace Opt.Api.Tests;

public sealed class SpecValidationTests
{
    private const string Valid = """
        model: {preset: opt-125m}
        topology: {nodes: 2, acceleratorsPerNode: 1}
        pod: {image: example/opt-trainer:1}
        data: {train: [{path: pile/train}]}
        checkpoint: {store: {directory: {path: /checkpoints}}}
        """;

    private const string Custom = "model: {layers: 2, hiddenSize: 64, heads: 4}\n";

    [Fact]
    public void A_minimal_spec_is_valid() => Assert.Empty(SpecValidation.Validate(Yaml.Parse(Valid)[0]));

    [Theory]
    [InlineData("model: {preset: opt-99b}", "spec.model.preset: \"opt-99b\" is not allowed; must be one of opt-8m, opt-125m")]
    [InlineData("model: {}", "spec.model.layers: (absent) is not allowed; required without a preset")]
    [InlineData("model: {preset: opt-125m, layers: 3}", "spec.model.layers: 3 is not allowed; preset opt-125m fixes the sizes")]
    [InlineData(Custom + "training: {batchTokens: 2048}", "spec.training.learningRate.peak: (absent)")]
    [InlineData("model: {layers: 2, hiddenSize: 65, heads: 4}", "spec.model.heads: 4 is not allowed; must divide hiddenSize 65")]
    [InlineData("topology: {nodes: 0}", "spec.topology.nodes: 0 is not allowed; must be an integer from 1 to 4096")]
    [InlineData("topology: {nodes: -3}", "spec.topology.nodes: -3 is not allowed")]
    [InlineData("topology: {nodes: 1.5}", "spec.topology.nodes: 1.5 is not allowed; must be an integer")]
    [InlineData("topology: {}", "spec.topology.nodes: (absent) is not allowed; required: an integer from 1 to 4096")]
    [InlineData("topology: {nodes: 2, acceleratorsPerNode: 8, tensorParallel: 3}", "spec.topology.tensorParallel: 3 is not allowed; must divide acceleratorsPerNode 8")]
    [InlineData("topology: {nodes: 2, acceleratorsPerNode: 8, tensorParallel: 8}", "spec.topology.tensorParallel: 8 is not allowed; must divide the 12 attention heads")]
    [InlineData("model: {preset: opt-350m}\ntopology: {nodes: 2, acceleratorsPerNode: 8, tensorParallel: 2}", "spec.topology.tensorParallel: 2 is not allowed; must be 1 for opt-350m")]
    [InlineData("model: {layers: 2, hiddenSize: 64, heads: 4, vocabSize: 50265}\ntopology: {nodes: 2, acceleratorsPerNode: 8, tensorParallel: 2}", "spec.topology.tensorParallel: 2 is not allowed; must divide the vocabulary 50265")]
    [InlineData("model: {preset: opt-175b}\ntopology: {nodes: 124, minNodes: 4, acceleratorMemoryGiB: 80}", "spec.topology.minNodes: 4 is not allowed; must be at least 5: on 4 machines weights, gradients and optimizer state alone take 9")]
    [InlineData("model: {preset: opt-175b}\ntopology: {nodes: 4, acceleratorMemoryGiB: 80}", "spec.topology.nodes: 4 is not allowed; use more machines, or larger accelerators: on 4 machines weights, gradients and optimizer state alone take 9")]
    [InlineData("training: {batchTokens: 5000}", "spec.training.batchTokens: 5000 is not allowed; must be a multiple of the sequence length 2048")]
    [InlineData("training: {sequenceLength: 4096, batchTokens: 8192}", "spec.training.sequenceLength: 4096 is not allowed; must be at most the model's maxPositions 2048")]
    [InlineData("training: {precision: fp8}", "spec.training.precision: \"fp8\" is not allowed; must be one of fp32, fp16, bf16")]
    [InlineData("training: {learningRate: {peak: 0}}", "spec.training.learningRate.peak: 0 is not allowed; must be a number above 0 and at most 1000")]
    [InlineData("training: {learningRate: {warmup: {}}}", "spec.training.learningRate.warmup: {} is not allowed; give exactly one of steps and tokens")]
    [InlineData("training: {learningRate: {decay: {steps: 1, tokens: 2}}}", "spec.training.learningRate.decay: {steps: 1, tokens: 2} is not allowed")]
    [InlineData("checkpoint: {store: {}}", "spec.checkpoint.store: {} is not allowed; give exactly one of azureBlob and directory")]
    [InlineData("checkpoint: {store: {directory: {path: relative}}}", "spec.checkpoint.store.directory.path: \"relative\" is not allowed")]
    [InlineData("checkpoint: {store: {directory: {path: /c}}, every: sometimes}", "\"sometimes\" is not allowed; use \"auto\"")]
    [InlineData("checkpoint: {store: {directory: {path: /c}}, every: {steps: 0}}", "spec.checkpoint.every.steps: 0 is not allowed; must be at least 1")]
    [InlineData("data: {train: []}", "spec.data.train: a list of 0 is not allowed; at least 1 needed")]
    [InlineData("data: {train: [{path: ../secret}]}", "spec.data.train[0].path: \"../secret\" is not allowed")]
    [InlineData("data: {train: [{path: a}, {path: a}]}", "spec.data.train[1].path: \"a\" is not allowed; must be given once")]
    [InlineData("failurePolicy: {hangAtLeast: soon}", "spec.failurePolicy.hangAtLeast: \"soon\" is not allowed")]
    [InlineData("failurePolicy: {agentSilence: 0s}", "spec.failurePolicy.agentSilence: 0s is not allowed; must be at least 1s")]
    public void A_fault_names_field_value_and_what_is_allowed(string change, string message) =>
        Assert.Contains(SpecValidation.Validate(With(change)), fault => fault.ToString().Contains(message, StringComparison.Ordinal));

    [Theory]
    [InlineData("model: {preset: opt-175b}\ntopology: {nodes: 124, minNodes: 5, acceleratorMemoryGiB: 80}")]
    [InlineData("model: {preset: opt-175b}\ntopology: {nodes: 124, minNodes: 4}")]
    [InlineData("model: {preset: opt-175b}\ntopology: {nodes: 124, minNodes: 4, acceleratorMemoryGiB: 80}\ntraining: {masterWeights: false}")]
    public void Machines_that_hold_the_state_of_training_are_enough_as_far_as_the_spec_tells(string change) => Assert.Empty(SpecValidation.Validate(With(change)));

    [Fact]
    public void All_faults_are_reported_at_once() =>
        Assert.Equal(2, SpecValidation.Validate(With("topology: {nodes: 0}\ntraining: {precision: fp8}")).Count);

    [Theory]
    [InlineData("Upper")]
    [InlineData("1st")]
    [InlineData("dotted.name")]
    [InlineData("a-name-of-more-than-fifty-characters-is-too-long-for-labels")]
    public void A_name_that_pods_or_services_cannot_carry_is_refused(string name) => Assert.Single(SpecValidation.ValidateName(name));

    [Fact]
    public void Immutable_fields_may_not_change_and_others_may()
    {
        var old = Read(With(""));
        Assert.Empty(Immutability.Faults(old, Read(With("training: {totalTokens: 4096, learningRate: {peak: 0.1}}\ntopology: {nodes: 5, acceleratorsPerNode: 1}"))));
        var faults = Immutability.Faults(old, Read(With("model: {preset: opt-350m}\ntraining: {seed: 2, precision: bf16}")));
        Assert.Equal(["spec.model.preset", "spec.training.precision", "spec.training.seed"], faults.Select(f => f.Path));
        Assert.Equal("spec.training.seed: 2 is not allowed; immutable: it was 1; make a new job instead", faults[^1].ToString());
    }

    private static OptTrainingJobSpec Read(JsonObject spec) => spec.Deserialize(SpecJson.Default.OptTrainingJobSpec)!;

    private static JsonObject With(string change)
    {
        var spec = Yaml.Parse(Valid)[0].AsObject();
        foreach (var (key, value) in change.Length == 0 ? [] : Yaml.Parse(change)[0].AsObject()) spec[key] = value?.DeepClone();
        return spec;
    }
}
