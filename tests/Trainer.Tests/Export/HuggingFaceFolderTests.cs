using Opt.Api;
using Opt.Trainer.Checkpoints.Safetensors;
using Opt.Trainer.Cli;
using Opt.Trainer.Export;
using Opt.Trainer.Model;
using Opt.Trainer.Parallel;
using Opt.Trainer.Tests.Data;
using Opt.Trainer.Tests.Loop;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Trainer.Tests.Export;

public sealed class HuggingFaceFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public HuggingFaceFolderTests() => TinyRun.RequireTorch();

    public void Dispose() => _folder.Dispose();

    // With a narrow embedding and post-norm it is the layout of the released 350M.
    [Theory]
    [InlineData(true, 32, true), InlineData(true, 32, false), InlineData(false, 16, true), InlineData(false, 16, false)]
    public void What_was_written_reads_back_exactly_under_either_prefix(bool preNorm, int embedding, bool longPrefix)
    {
        var model = TinyRun.Model with { PreNorm = preNorm, EmbeddingSize = embedding };
        using var written = Write(model);
        if (!longPrefix) Rewrite(name => name["model.".Length..], half: false);
        Assert.Equal(model, HuggingFaceFolder.ReadModel(_folder["hf"]));
        using var read = ModelFiles.NewStorage(model, moments: false);
        HuggingFaceFolder.Load(_folder["hf"], model, read);
        Assert.Equal(written.Master.ToArray<float>(), read.Master.ToArray<float>());
    }

    [Fact]
    public void The_names_are_those_of_transformers_and_the_tied_head_is_not_written_twice()
    {
        using var written = Write(TinyRun.Model with { PreNorm = false, EmbeddingSize = 16 });
        using var file = SafetensorsFile.Open(Path.Combine(_folder["hf"], "model.safetensors"));
        var shapes = file.Header.Tensors.ToDictionary(t => t.Name, t => t.Shape.ToString());
        Assert.Equal(4 + 2 * 16, shapes.Count);
        Assert.Equal("[96, 16]", shapes["model.decoder.embed_tokens.weight"]);
        Assert.Equal("[34, 32]", shapes["model.decoder.embed_positions.weight"]);
        Assert.Equal("[32, 16]", shapes["model.decoder.project_in.weight"]);
        Assert.Equal("[16, 32]", shapes["model.decoder.project_out.weight"]);
        Assert.Equal("[128, 32]", shapes["model.decoder.layers.1.fc1.weight"]);
        Assert.Equal("[32]", shapes["model.decoder.layers.1.self_attn.k_proj.bias"]);
        Assert.DoesNotContain("model.decoder.final_layer_norm.weight", shapes.Keys);
    }

    [Theory]
    [InlineData(2, 1, 1), InlineData(4, 2, 3), InlineData(4, 2, 0)]
    public void Every_rank_of_any_layout_reads_its_own_part_also_from_halves(int worldSize, int tensorParallel, int rank)
    {
        var model = TinyRun.Model;
        using var whole = Write(model);
        Rewrite(name => name, half: true);
        using var part = new ShardStorage(OptParameters.Units(model), new(rank, worldSize, tensorParallel), Opt.Api.V1Alpha1.Precision.Fp16, moments: false, CPU, masterWeights: false);
        HuggingFaceFolder.Load(_folder["hf"], model, part);
        using var drawn = new ShardStorage(OptParameters.Units(model), new(rank, worldSize, tensorParallel), Opt.Api.V1Alpha1.Precision.Fp16, moments: false, CPU);
        drawn.Initialise(1);
        Assert.Equal(drawn.Wire.ToArray<Half>(), part.Master.ToArray<Half>());
    }

    private ShardStorage Write(ModelDimensions model)
    {
        var weights = ModelFiles.NewStorage(model, moments: false);
        weights.Initialise(1);
        HuggingFaceFolder.Write(_folder["hf"], model, weights);
        return weights;
    }

    private void Rewrite(Func<string, string> rename, bool half)
    {
        var path = Path.Combine(_folder["hf"], "model.safetensors");
        Dictionary<string, float[]> values = [];
        using (var file = SafetensorsFile.Open(path))
        {
            foreach (var tensor in file.Header.Tensors)
            {
                var read = new float[tensor.Bytes / sizeof(float)];
                FloatReader.Read(file, tensor, 0, read);
                values[rename(tensor.Name)] = read;
            }
        }

        using var shapes = SafetensorsFile.Open(path);
        var tensors = shapes.Header.Tensors.Select(t => (rename(t.Name), half ? SafetensorsDtype.F16 : SafetensorsDtype.F32, t.Shape)).ToList();
        var next = path + ".new";
        SafetensorsFile.Write(next, tensors, null, (tensor, offset, destination) =>
        {
            var bytes = half ? System.Runtime.InteropServices.MemoryMarshal.AsBytes<Half>(values[tensor.Name].Select(v => (Half)v).ToArray()) : System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values[tensor.Name]);
            bytes.Slice((int)offset, destination.Length).CopyTo(destination);
        });
        File.Move(next, path, overwrite: true);
    }
}
