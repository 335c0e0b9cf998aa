using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Trainer.Tests.Checkpoints;
using Opt.Trainer.Workers;

namespace Opt.Trainer.Tests.Agent;

/// <summary>A worker that uses the real link but trains nothing: echoes the revisions of its control requests and fails when told to stop.</summary>
internal static class ScriptedWorker
{
    public static int Run()
    {
        var environment = WorkerEnvironment.Read();
        var plan = JsonSerializer.Deserialize(File.ReadAllBytes(environment.PlanFile), ProtocolJson.Default.RunPlan)!;
        using var ended = new ManualResetEventSlim();
        var channel = WorkerChannel.Open(environment.ChannelDescriptor, TimeProvider.System);
        channel.AgentLost.Register(() => Environment.Exit((int)WorkerExit.AgentLost));
        Console.Error.WriteLine($"hello from {environment.Rank} of {plan.WorldSize}, OMP {Environment.GetEnvironmentVariable("OMP_NUM_THREADS")}");
        channel.ReportState(WorkerState.Rendezvous);
        channel.ReportState(WorkerState.Training);
        using var flight = environment.FlightFile is { } file ? FlightRecorder.Open(file, TimeProvider.System) : null;
        var revision = 0;
        for (var attempt = 1L; ; attempt++)
        {
            flight?.Attempt(attempt);
            flight?.Enter("backward", 3);
            flight?.Submitted(20 * attempt);
            if (environment.Rank == 0) channel.ReportStep(TestRun.Record(attempt) with { Epoch = plan.Epoch, Revision = revision });
            else channel.ReportAttempt(attempt);
            if (plan.Training.HyperParameters.TotalSteps == attempt) break;
            while (environment.Rank == 0 && channel.TryTakeControl(out var control))
            {
                revision = control.Revision;
                if (control.Command == ControlCommand.Stop)
                {
                    channel.ReportFailure(WorkerExit.Data, "corpus pile/train is damaged");
                    channel.DisposeAsync().AsTask().Wait();
                    return (int)WorkerExit.Data;
                }
            }

            ended.Wait(TimeSpan.FromMilliseconds(20));
        }

        channel.DisposeAsync().AsTask().Wait();
        return 0;
    }
}
