using Opt.Api;

namespace Opt.Trainer.Model;

/// <summary>
/// The parameters of an OPT decoder by unit, in flat order. Within attention the order is key, value, query, so that one [3d, d] view is the
/// fused projection (metaseq's order, per tensor-parallel rank). Initialisation is Megatron's with sigma 0.006 for every size: N(0, sigma),
/// output projections N(0, sigma / sqrt(2 layers)), biases 0, LayerNorm 1 and 0, the padding rows 0 (OPT paper section 2.2; metaseq
/// --full-megatron-init --megatron-init-sigma 0.006).
/// </summary>
public static class OptParameters
{
    public const double InitSigma = 0.006;

    /// <summary>Id of the padding token, whose rows start as zero.</summary>
    public const int PaddingId = 1;

    /// <summary>The first token of a sequence uses this row of the position table.</summary>
    public const int PositionOffset = 2;

    public const string Decoder = "model.decoder.";
    public const string EmbedTokens = Decoder + "embed_tokens.weight";
    public const string EmbedPositions = Decoder + "embed_positions.weight";
    public const string FinalNormWeight = Decoder + "final_layer_norm.weight";
    public const string FinalNormBias = Decoder + "final_layer_norm.bias";
    public const string ProjectIn = Decoder + "project_in.weight";
    public const string ProjectOut = Decoder + "project_out.weight";

    /// <summary>The root unit, then the blocks in order.</summary>
    public static IReadOnlyList<UnitSpec> Units(ModelDimensions model) =>
        [Root(model), .. Enumerable.Range(0, model.Layers).Select(layer => Block(model, layer))];

    private static UnitSpec Root(ModelDimensions model)
    {
        long d = model.HiddenSize, e = model.EmbeddingSize;
        List<ParameterSpec> parameters =
        [
            new(EmbedTokens, [model.VocabSize, e], 0, Initialiser.Normal, InitSigma, PaddingId),
            new(EmbedPositions, [model.PositionRows, d], null, Initialiser.Normal, InitSigma, PaddingId),
        ];
        if (model.PreNorm) parameters.AddRange([One(FinalNormWeight, d), Zero(FinalNormBias, null, d)]);
        if (e != d)
        {
            parameters.Add(new(ProjectIn, [d, e], null, Initialiser.Normal, InitSigma));
            parameters.Add(new(ProjectOut, [e, d], null, Initialiser.Normal, InitSigma));
        }

        return new("root", parameters);
    }

    private static UnitSpec Block(ModelDimensions model, int layer)
    {
        long d = model.HiddenSize, f = model.FfnSize;
        var name = $"{Decoder}layers.{layer}.";
        var outputSigma = InitSigma / Math.Sqrt(2.0 * model.Layers);
        return new($"block.{layer}",
        [
            Normal(name + "self_attn.k_proj.weight", 0, InitSigma, d, d),
            Normal(name + "self_attn.v_proj.weight", 0, InitSigma, d, d),
            Normal(name + "self_attn.q_proj.weight", 0, InitSigma, d, d),
            Zero(name + "self_attn.k_proj.bias", 0, d),
            Zero(name + "self_attn.v_proj.bias", 0, d),
            Zero(name + "self_attn.q_proj.bias", 0, d),
            Normal(name + "self_attn.out_proj.weight", 1, outputSigma, d, d),
            Zero(name + "self_attn.out_proj.bias", null, d),
            One(name + "self_attn_layer_norm.weight", d),
            Zero(name + "self_attn_layer_norm.bias", null, d),
            Normal(name + "fc1.weight", 0, InitSigma, f, d),
            Zero(name + "fc1.bias", 0, f),
            Normal(name + "fc2.weight", 1, outputSigma, d, f),
            Zero(name + "fc2.bias", null, d),
            One(name + "final_layer_norm.weight", d),
            Zero(name + "final_layer_norm.bias", null, d),
        ]);
    }

    private static ParameterSpec Normal(string name, int dim, double sigma, params long[] shape) => new(name, shape, dim, Initialiser.Normal, sigma);
    private static ParameterSpec Zero(string name, int? dim, params long[] shape) => new(name, shape, dim, Initialiser.Zero);
    private static ParameterSpec One(string name, params long[] shape) => new(name, shape, null, Initialiser.One);
}
