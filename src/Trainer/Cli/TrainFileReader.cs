using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Api.Validation;

namespace Opt.Trainer.Cli;

/// <summary>Reads the YAML file of <c>opt-trainer train</c>: the sections of a job that say what to train, checked by the job's own rules.</summary>
internal static class TrainFileReader
{
    /// <exception cref="TrainerException">Configuration: unreadable, unknown fields, or values the job's rules refuse.</exception>
    public static TrainingConfig Read(string path, int workers, DeviceKind device)
    {
        var file = Parse(path);
        var tensorParallel = file.Topology.TensorParallel ?? 1;
        Validate(file, workers, tensorParallel, path);
        var checkpoint = file.Checkpoint ?? new() { Store = new() };
        var config = TrainingConfigResolver.Resolve(file.Model, file.Training, file.Data, checkpoint, tensorParallel, workers / tensorParallel, device) with { DataParallelShard = file.Topology.DataParallelShard };
        return file.MaxSteps is { } most && most < config.HyperParameters.TotalSteps
            ? config with { HyperParameters = config.HyperParameters with { TotalSteps = most } }
            : config;
    }

    private static TrainFile Parse(string path)
    {
        try
        {
            var documents = Yaml.Parse(File.ReadAllText(path));
            if (documents is not [JsonObject root]) throw Bad(path, "one YAML mapping is expected");
            PlaceData(root, path);
            return root.Deserialize(StrictSpecJson.Default.TrainFile)!;
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new TrainerException(WorkerExit.Configuration, $"{path}: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainerException(WorkerExit.Configuration, $"{path} cannot be read: {e.Message}", e);
        }
    }

    // Without a root, paths are relative to the current folder, or else to the file's own.
    private static void PlaceData(JsonObject root, string path)
    {
        if (root["data"] is not JsonObject data || data.ContainsKey("root")) return;
        var first = (data["train"] as JsonArray)?.OfType<JsonObject>().FirstOrDefault()?["path"] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
        var here = first is null || File.Exists($"{first}.json");
        data["root"] = here ? Environment.CurrentDirectory : Path.GetDirectoryName(Path.GetFullPath(path));
    }

    private static void Validate(TrainFile file, int workers, int tensorParallel, string path)
    {
        var spec = new OptTrainingJobSpec
        {
            Model = file.Model,
            Topology = new() { Nodes = 1, AcceleratorsPerNode = workers, TensorParallel = tensorParallel, DataParallelShard = file.Topology.DataParallelShard },
            Pod = new() { Image = "local" },
            Data = file.Data,
            Training = file.Training,
            Checkpoint = file.Checkpoint ?? new() { Store = new() { Directory = new() { Path = "/none" } } },
        };
        var faults = SpecValidation.Validate(spec);
        if (faults.Count > 0) throw Bad(path, string.Join("; ", faults.Select(f => f.ToString()["spec.".Length..])));
    }

    private static TrainerException Bad(string path, string message) => new(WorkerExit.Configuration, $"{path}: {message}");
}
