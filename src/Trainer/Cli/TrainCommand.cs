using System.CommandLine;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Parallel;
using Opt.Trainer.Tracing;
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
        var resume = new Option<string?>("--resume") { Description = "What to start from: \"latest\" or a step of the configured store, a checkpoint folder, or a Hugging Face folder" };
        var quiet = new Option<bool>("--quiet") { Description = "No progress lines" };
        var profile = new Option<FileInfo?>("--profile") { Description = "File for a trace of computation, collectives and waits, for chrome://tracing or ui.perfetto.dev" };
        var command = new Command("train", "Train on this machine, without Kubernetes") { config, workers, steps, device, resume, quiet, profile };
        command.SetAction((r, ct) => RunAsync(new(r.GetValue(config)!, r.GetValue(workers), r.GetValue(steps), r.GetValue(device), r.GetValue(resume), r.GetValue(quiet), r.GetValue(profile)), ct));
        return command;
    }

    private static async Task<int> RunAsync(Choices choices, CancellationToken ct)
    {
        if (choices.Workers < 1) throw new TrainerException(WorkerExit.Usage, $"--workers: {choices.Workers} is not allowed; at least 1");
        var config = TrainFileReader.Read(choices.File.FullName, choices.Workers, choices.Device);
        LayoutRules.Require(config, choices.Workers);
        var run = Directory.CreateTempSubdirectory("opt-train-");
        try
        {
            var start = await RunStart.FindAsync(config, choices.Resume, ct);
            using var store = choices.Workers == 1 ? null : new distributed.TCPStore("127.0.0.1", 0, is_server: true, TimeSpan.FromMinutes(1));
            var planFile = Path.Combine(run.FullName, "plan.json");
            await File.WriteAllBytesAsync(planFile, JsonSerializer.SerializeToUtf8Bytes(Plan(config, choices.Workers, store?.port ?? 0, start), ProtocolJson.Default.RunPlan), ct);
            choices.Steps?.Delete();
            var exit = await new LocalRanks(TimeProvider.System).RunAsync(choices.Workers, planFile, config.Data.Root, run.FullName, Arguments(choices, start), ct);
            if (choices.Profile is { } profile) TraceFiles.Join(run.FullName, profile.FullName);
            return exit;
        }
        finally
        {
            run.Delete(recursive: true);
        }
    }

    private static List<string> Arguments(Choices choices, RunStart start)
    {
        List<string> arguments = [];
        if (choices.Steps is { } steps) arguments.AddRange(["--steps-out", steps.FullName]);
        if (start.InitialWeights is { } folder) arguments.AddRange(["--initial-weights", folder]);
        if (choices.Quiet) arguments.Add("--quiet");
        if (choices.Profile is not null) arguments.Add("--profile");
        return arguments;
    }

    private static RunPlan Plan(TrainingConfig config, int workers, int port, RunStart start) => new()
    {
        JobNamespace = "local",
        JobName = "train",
        JobUid = start.JobUid,
        Epoch = start.Epoch,
        Revision = 0,
        ParentEpoch = start.Epoch - 1,
        CreatedAt = TimeProvider.System.GetUtcNow(),
        Cause = new() { Id = "local", Reason = "Start", Message = "started by opt-trainer train" },
        Members = [new() { Pod = "local", PodUid = "local", PodIp = "127.0.0.1", AgentInstance = "local", Node = Environment.MachineName }],
        WorkersPerMember = workers,
        RendezvousPort = port,
        TemplateRevision = "local",
        Training = config,
        Resume = start.Resume,
    };

    private sealed record Choices(FileInfo File, int Workers, FileInfo? Steps, DeviceKind Device, string? Resume, bool Quiet, FileInfo? Profile);
}
