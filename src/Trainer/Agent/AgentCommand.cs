using System.CommandLine;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Opt.Api.Protocol;
using Opt.Trainer.Agent.Http;
using Opt.Trainer.Agent.Processes;

namespace Opt.Trainer.Agent;

/// <summary><c>opt-trainer agent</c>: the process a pod starts. Configured by environment variables (<see cref="AgentOptions"/>).</summary>
internal static class AgentCommand
{
    /// <summary>How long workers may take to end when the pod does; the pod's own grace is 120 s.</summary>
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(100);

    public static Command Create()
    {
        var command = new Command("agent", "Runs the workers of one pod as the operator says; configured by the pod's environment");
        command.SetAction((_, ct) => RunAsync(AgentOptions.Read(Environment.GetEnvironmentVariable), Console.Out, ct));
        return command;
    }

    /// <summary>Serves until SIGTERM, SIGINT or <paramref name="ct"/>.</summary>
    public static async Task<int> RunAsync(AgentOptions options, TextWriter output, CancellationToken ct)
    {
        using var loggers = LoggerFactory.Create(builder => builder.SetMinimumLevel(LogLevel.Information).AddFilter("Microsoft.AspNetCore", LogLevel.Warning).AddFilter("Microsoft.Extensions.Hosting", LogLevel.None).AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
        }));
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        var token = new AgentToken(options.TokenFile, options.Tls, TimeProvider.System);
        await using var store = options.Store.Spec is null ? null : options.Store.Open(TimeProvider.System);
        using var spawner = new Spawner();
        await using var agent = new TrainerAgent(options, new(store, new TorchRendezvousHost(), spawner, output, TimeProvider.System, loggers.CreateLogger<TrainerAgent>()));
        await using var server = await AgentServer.StartAsync(agent, options, token, loggers, stopping.Token);
        await WaitAsync(stopping.Token);
        await agent.StopAsync(StopGrace);
        return (int)WorkerExit.Success;

        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            stopping.Cancel();
        }
    }

    private static async Task WaitAsync(CancellationToken ct)
    {
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
        }
        catch (OperationCanceledException)
        {
            // asked to stop
        }
    }
}
