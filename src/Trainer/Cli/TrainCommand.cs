using System.CommandLine;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Parallel;
using static Opt.Torch.torch;

namespace Opt.Trainer.Cli;

/// <summary><c>opt-trainer train</c>: the trainer without Kubernetes, N ranks on this machine.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var config = new Option<FileInfo>("--config") { Description = "YAML with the job's model, topology.tensorParallel, data, training and checkpoint sections, and maxSteps", Required = true };
        var workers = new Option<int>("--workers") { Description = "Ranks to start", DefaultValueFactory = _ => 1 };
        var steps = new Option<FileInfo?>("--steps-out") { Description = "File for the step records, one JSON object a line" };
        var device = new Option<DeviceKind>("--device") { Description = "Where tensors live: cpu, cuda or auto", DefaultValueFactory = _ => DeviceKind.Auto };
        var quiet = new Option<bool>("--quiet") { Description = "No progress lines" };
        var command = new Command("train", "Train on this machine, without Kubernetes") { config, workers, steps, device, quiet };
        command.SetAction((r, ct) => RunAsync(r.GetValue(config)!, r.GetValue(workers), r.GetValue(steps), r.GetValue(device), r.GetValue(quiet), ct));
        return command;
    }

    private static async Task<int> RunAsync(FileInfo file, int workers, FileInfo? steps, DeviceKind device, bool quiet, CancellationToken ct)
    {
        if (workers < 1) throw new TrainerException(WorkerExit.Usage, $"--workers: {workers} is not allowed; at least 1");
        var config = TrainFileReader.Read(file.FullName, workers, device);
        LayoutRules.Require(config, workers);
        var run = Directory.CreateTempSubdirectory("opt-train-");
        try
        {
            using var store = new distributed.TCPStore("127.0.0.1", 0, is_server: true, TimeSpan.FromMinutes(1));
            var planFile = Path.Combine(run.FullName, "plan.json");
            await File.WriteAllBytesAsync(planFile, JsonSerializer.SerializeToUtf8Bytes(Plan(config, workers, store.port), ProtocolJson.Default.RunPlan), ct);
            steps?.Delete();
            List<string> arguments = [.. steps is null ? Array.Empty<string>() : ["--steps-out", steps.FullName], .. quiet ? ["--quiet"] : Array.Empty<string>()];
            return await new LocalRanks(TimeProvider.System).RunAsync(workers, planFile, config.Data.Root, run.FullName, arguments, ct);
        }
        finally
        {
            run.Delete(recursive: true);
        }
    }

    private static RunPlan Plan(TrainingConfig config, int workers, int port) => new()
    {
        JobNamespace = "local",
        JobName = "train",
        JobUid = $"local-{Guid.NewGuid():N}",
        Epoch = 1,
        Revision = 0,
        ParentEpoch = 0,
        CreatedAt = TimeProvider.System.GetUtcNow(),
        Cause = new() { Id = "local", Reason = "Start", Message = "started by opt-trainer train" },
        Members = [new() { Pod = "local", PodUid = "local", PodIp = "127.0.0.1", AgentInstance = "local", Node = Environment.MachineName }],
        WorkersPerMember = workers,
        RendezvousPort = port,
        TemplateRevision = "local",
        Training = config,
    };
}
