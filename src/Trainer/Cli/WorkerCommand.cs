using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Trainer.Loop;
using Opt.Trainer.Stores;
using Opt.Trainer.Tracing;
using Opt.Trainer.Workers;

namespace Opt.Trainer.Cli;

/// <summary><c>opt-trainer worker</c>: one rank. Started by an agent, or by <c>opt-trainer train</c>; never by hand.</summary>
internal static partial class WorkerCommand
{
    public static Command Create()
    {
        var local = new Option<bool>("--local") { Description = "Started by opt-trainer train" };
        var steps = new Option<FileInfo?>("--steps-out") { Description = "File for the step records of rank 0" };
        var quiet = new Option<bool>("--quiet") { Description = "No progress lines" };
        var weights = new Option<DirectoryInfo?>("--initial-weights") { Description = "Hugging Face folder to start from" };
        var profile = new Option<bool>("--profile") { Description = "Leave a trace in the run directory" };
        var command = new Command("worker", "One rank, started by an agent or by train") { local, steps, quiet, weights, profile };
        command.Hidden = true;
        command.SetAction((r, _) => RunAsync(r.GetValue(local), r.GetValue(steps), r.GetValue(quiet), r.GetValue(weights), r.GetValue(profile)));
        return command;
    }

    private static async Task<int> RunAsync(bool local, FileInfo? steps, bool quiet, DirectoryInfo? weights, bool profile)
    {
        var environment = WorkerEnvironment.Read(name => name == WorkerEnvironment.ChannelVariable && local ? "0" : Environment.GetEnvironmentVariable(name));
        var plan = ReadPlan(environment.PlanFile);
        var first = environment.Rank == 0;
        await using var channel = OpenChannel(local, environment, first ? steps : null, quiet || !first);
        await using var watch = channel.AgentLost.Register(() =>
        {
            Console.Error.WriteLine(ExitCodes.Line(WorkerExit.AgentLost, $"rank {environment.Rank}: what started this worker is gone"));
            ExitAtOnce(WorkerExit.AgentLost);
        });
        var trace = profile ? new TraceRecorder(TimeProvider.System, environment.Rank) : null;
        using var flight = OpenFlight(environment.FlightFile, Log);
        var worker = new Worker(plan, environment.Rank, environment.DataRoot, channel, TimeProvider.System, Log) { OpenStore = OpenStore, InitialWeights = weights?.FullName, Trace = trace, Flight = flight };
        try
        {
            // A thread of its own: gradient modes and dispose scopes belong to threads, and 16 MiB of stack suffice for deep graphs.
            var exit = await OnOwnThread(worker.Run);
            if (trace is not null) TraceFiles.WritePart(TraceFiles.PartOf(environment.RunDirectory, environment.Rank), trace.Events);
            return (int)exit;
        }
        catch (Exception e)
        {
            var exit = ExitCodes.Of(e);
            channel.ReportFailure(exit, e.Message);
            ExitCodes.Report(e);
            await channel.DisposeAsync();
            ExitAtOnce(exit);   // peers that are gone would be waited for by a tidy shutdown
            return (int)exit;
        }

        void Log(string line) => Console.Error.WriteLine($"opt-trainer: rank {environment.Rank}: {line}");
    }

    private static IWorkerChannel OpenChannel(bool local, WorkerEnvironment environment, FileInfo? steps, bool quiet) => local
        ? new LocalChannel(steps?.FullName, quiet, TimeProvider.System)
        : WorkerChannel.Open(environment.ChannelDescriptor, TimeProvider.System);

    /// <summary>Training goes on without: only the evidence of a hang would be poorer.</summary>
    private static FlightRecorder? OpenFlight(string? path, Action<string> log)
    {
        try
        {
            return path is null ? null : FlightRecorder.Open(path, TimeProvider.System);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log($"no flight recorder: {e.Message}");
            return null;
        }
    }

    private static ICheckpointStore? OpenStore(RunPlan plan)
    {
        var spec = plan.Training.Checkpoint.Store;
        return spec.Directory is null && spec.AzureBlob is null ? null : StoreEnvironment.Read().Open(TimeProvider.System, spec, upload: plan.Training.Checkpoint.Upload?.BytesPerSecond);
    }

    private static Task<WorkerExit> OnOwnThread(Func<WorkerExit> run)
    {
        var result = new TaskCompletionSource<WorkerExit>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                result.SetResult(run());
            }
            catch (Exception e)
            {
                result.SetException(e);
            }
        }, maxStackSize: 16 << 20) { Name = "training" }.Start();
        return result.Task;
    }

    private static RunPlan ReadPlan(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), ProtocolJson.Default.RunPlan) ?? throw new JsonException("empty");
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            throw new TrainerException(WorkerExit.Configuration, $"plan {path}: {e.Message}", e);
        }
    }

    private static void ExitAtOnce(WorkerExit exit) => _exit((int)exit);

    [LibraryImport("libc")]
    private static partial void _exit(int code);
}
