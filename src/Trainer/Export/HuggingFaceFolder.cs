using System.Runtime.InteropServices;
using System.Text.Json;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Checkpoints.Safetensors;
using Opt.Trainer.Model;
using Opt.Trainer.Parallel;

namespace Opt.Trainer.Export;

/// <summary>
/// A Hugging Face OPT folder: config.json and model.safetensors, names as in transformers' modeling_opt.py. Reading accepts the prefixes
/// "model.decoder." and "decoder.", fp32, fp16 and bf16; the tied lm_head.weight is ignored. Writing is fp32.
/// </summary>
internal static class HuggingFaceFolder
{
    private const string ConfigFile = "config.json", WeightsFile = "model.safetensors";

    /// <summary>True when the folder looks like one.</summary>
    public static bool Exists(string folder) => File.Exists(Path.Combine(folder, ConfigFile)) && File.Exists(Path.Combine(folder, WeightsFile));

    /// <exception cref="TrainerException">Checkpoint: missing, damaged, or a variant that is not supported.</exception>
    public static ModelDimensions ReadModel(string folder)
    {
        try
        {
            var config = JsonSerializer.Deserialize(File.ReadAllBytes(Path.Combine(folder, ConfigFile)), HuggingFaceJson.Default.HuggingFaceConfig);
            return config?.ToModel(folder) ?? throw new JsonException("empty");
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            throw new TrainerException(WorkerExit.Checkpoint, $"{folder}/{ConfigFile}: {e.Message}", e);
        }
    }

    /// <summary>Writes the weights of a storage that holds the whole model (a world of one).</summary>
    public static void Write(string folder, ModelDimensions model, ShardStorage storage)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, ConfigFile), JsonSerializer.SerializeToUtf8Bytes(HuggingFaceConfig.Of(model), HuggingFaceJson.Default.HuggingFaceConfig));
        var places = Places(storage);
        var tensors = places.Values.OrderBy(p => p.Spec.Name, StringComparer.Ordinal).Select(p => (p.Spec.Name, SafetensorsDtype.F32, (EquatableList<long>)[.. p.Spec.Shape]));
        SafetensorsFile.Write(Path.Combine(folder, WeightsFile), tensors, new Dictionary<string, string> { ["format"] = "pt" }, (tensor, offset, destination) =>
        {
            var place = places[tensor.Name];
            using var run = storage.MasterOf(place.Unit).narrow(0, place.Offset + offset / sizeof(float), destination.Length / sizeof(float));
            MemoryMarshal.AsBytes(run.AsSpan<float>()).CopyTo(destination);
        });
    }

    /// <summary>Fills the shards of any layout, reading only what this rank holds.</summary>
    /// <exception cref="TrainerException">Checkpoint: of another model, incomplete or damaged.</exception>
    public static void Load(string folder, ModelDimensions model, ShardStorage storage)
    {
        var theirs = ReadModel(folder) with { Dropout = model.Dropout, AttentionDropout = model.AttentionDropout };
        if (theirs != model) throw new TrainerException(WorkerExit.Checkpoint, $"{folder} is of another model: {theirs} where {model} is wanted");
        try
        {
            using var file = SafetensorsFile.Open(Path.Combine(folder, WeightsFile));
            var tensors = file.Header.Tensors.ToDictionary(t => NameOf(t.Name));
            for (var unit = 0; unit < storage.Layouts.Count; unit++)
            {
                foreach (var slice in storage.Layouts[unit].SlicesOf(storage.Mesh.ShardRank)) Fill(file, folder, tensors, storage, unit, slice);
            }
        }
        catch (Exception e) when (e is IOException or FormatException)
        {
            throw new TrainerException(WorkerExit.Checkpoint, $"{folder}/{WeightsFile}: {e.Message}", e);
        }
    }

    private static void Fill(SafetensorsFile file, string folder, Dictionary<string, SafetensorsTensor> tensors, ShardStorage storage, int unit, ParameterSlice slice)
    {
        var layout = storage.Layouts[unit];
        var parameter = layout.Unit.Parameters[layout.IndexOf(slice.Parameter)];
        if (!tensors.TryGetValue(parameter.Name, out var tensor)) throw new TrainerException(WorkerExit.Checkpoint, $"{folder}/{WeightsFile} lacks {parameter.Name}");
        if (!tensor.Shape.SequenceEqual(parameter.Shape)) throw new TrainerException(WorkerExit.Checkpoint, $"{folder}/{WeightsFile}: {parameter.Name} has shape {tensor.Shape}, not [{string.Join(", ", parameter.Shape)}]");
        storage.SetMaster(unit, slice, shard =>
        {
            foreach (var run in GlobalRuns.Of(parameter, slice, storage.Mesh.TensorRank, storage.Mesh.TensorParallel))
            {
                FloatReader.Read(file, tensor, run.Position, shard.AsSpan<float>().Slice((int)run.From, (int)run.Length));
            }
        });
    }

    // Where every parameter lies in the flat shards of a world of one.
    private static Dictionary<string, (int Unit, long Offset, ParameterSpec Spec)> Places(ShardStorage storage) => storage.Layouts
        .SelectMany((layout, unit) => layout.Unit.Parameters.Select((spec, i) => (Unit: unit, Offset: layout.OffsetOf(i), Spec: spec)))
        .ToDictionary(p => p.Spec.Name);

    private static string NameOf(string name) => name.StartsWith("decoder.", StringComparison.Ordinal) ? $"model.{name}" : name;
}
