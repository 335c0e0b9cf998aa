using System.Text.Json;
using System.Text.Json.Serialization;
using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Trainer.Export;

/// <summary>config.json of a Hugging Face OPT folder (transformers, configuration_opt.py), as far as it decides the computation.</summary>
internal sealed record HuggingFaceConfig
{
    public string[] Architectures { get; set; } = ["OPTForCausalLM"];
    public string ModelType { get; set; } = "opt";
    public required int VocabSize { get; init; }
    public required int HiddenSize { get; init; }
    public required int NumHiddenLayers { get; init; }
    public required int NumAttentionHeads { get; init; }
    public required int FfnDim { get; init; }
    public required int MaxPositionEmbeddings { get; init; }
    public required int WordEmbedProjDim { get; init; }
    public bool DoLayerNormBefore { get; set; } = true;
    public string ActivationFunction { get; set; } = "relu";
    public double Dropout { get; set; } = 0.1;
    public double AttentionDropout { get; set; }
    public double Layerdrop { get; set; }
    public double InitStd { get; set; } = 0.02;
    public int PadTokenId { get; set; } = 1;
    public int BosTokenId { get; set; } = 2;
    public int EosTokenId { get; set; } = 2;
    public bool TieWordEmbeddings { get; set; } = true;
    public bool EnableBias { get; set; } = true;
    public bool LayerNormElementwiseAffine { get; set; } = true;

    [JsonPropertyName("_remove_final_layer_norm")]
    public bool RemoveFinalLayerNorm { get; set; }

    public string Prefix { get; set; } = "</s>";
    public string TorchDtype { get; set; } = "float32";

    public static HuggingFaceConfig Of(ModelDimensions model) => new()
    {
        VocabSize = model.VocabSize,
        HiddenSize = model.HiddenSize,
        NumHiddenLayers = model.Layers,
        NumAttentionHeads = model.Heads,
        FfnDim = model.FfnSize,
        MaxPositionEmbeddings = model.MaxPositions,
        WordEmbedProjDim = model.EmbeddingSize,
        DoLayerNormBefore = model.PreNorm,
        Dropout = model.Dropout,
        AttentionDropout = model.AttentionDropout,
    };

    /// <exception cref="TrainerException">Checkpoint: a variant of OPT this trainer does not compute.</exception>
    public ModelDimensions ToModel(string folder)
    {
        Require(ModelType == "opt", "model_type", ModelType, "opt");
        Require(ActivationFunction == "relu", "activation_function", ActivationFunction, "relu");
        Require(!RemoveFinalLayerNorm, "_remove_final_layer_norm", "true", "false");
        Require(EnableBias, "enable_bias", "false", "true");
        Require(LayerNormElementwiseAffine, "layer_norm_elementwise_affine", "false", "true");
        Require(TieWordEmbeddings, "tie_word_embeddings", "false", "true");
        return new()
        {
            Layers = NumHiddenLayers,
            HiddenSize = HiddenSize,
            Heads = NumAttentionHeads,
            FfnSize = FfnDim,
            VocabSize = VocabSize,
            MaxPositions = MaxPositionEmbeddings,
            EmbeddingSize = WordEmbedProjDim,
            PreNorm = DoLayerNormBefore,
            Dropout = Dropout,
            AttentionDropout = AttentionDropout,
        };

        void Require(bool holds, string field, string value, string allowed)
        {
            if (!holds) throw new TrainerException(WorkerExit.Checkpoint, $"{folder}/config.json: {field}: {value} is not supported; only {allowed}");
        }
    }
}

/// <summary>Source-generated JSON of Hugging Face configurations: snake case, unknown members ignored.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(HuggingFaceConfig))]
internal sealed partial class HuggingFaceJson : JsonSerializerContext;
