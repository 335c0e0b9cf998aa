using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Testing;
using Opt.Trainer.Tests.Checkpoints;
using Opt.Trainer.Workers;
using Xunit;

namespace Opt.Trainer.Tests.Agent;

/// <summary>Where workers stand, asked of their agent alone.</summary>
public sealed class StacksTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_agent_tells_where_a_stopped_worker_stands_though_nothing_runs_in_it()
    {
        await using var agent = await AgentUnderTest.StartAsync(AgentUnderTest.Scripted, workers: 2);
        Assert.Equal(0, (await StacksAsync(agent)).Epoch);
        await agent.PutPlanAsync(await agent.PlanAsync(3));
        var pid = (await agent.UntilAsync(s => s is { State: AgentState.Running, LastStep.Step: > 3 })).Workers[1].Pid!.Value;
        Signal(pid, "STOP");
        var stacks = await StacksAsync(agent);
        for (var i = 0; i < 3000 && stacks.Workers[1].Process != "T"; i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Cancelled);
            stacks = await StacksAsync(agent);
        }

        var (runs, stopped) = (stacks.Workers[0], stacks.Workers[1]);
        Assert.Equal((3L, 0, 1, "T"), (stacks.Epoch, runs.Rank, stopped.Rank, stopped.Process));
        Assert.NotEqual("T", runs.Process);
        Assert.Equal(("backward", (int?)3), (stopped.Activity!.Phase, stopped.Activity.Block));
        Assert.True(stopped.Activity is { Attempt: > 0, WaitsFor: null } && stopped.Activity.Submitted >= 20, $"{stopped.Activity}");
        Assert.Contains(stopped.Threads, t => t is { State: "T", Name.Length: > 0 });

        var files = Directory.EnumerateFiles(agent.Options.RunDirectory, "flight-*").ToArray();
        Assert.Equal(2, files.Length);
        Signal(pid, "CONT");
        await agent.PutPlanAsync(await agent.PlanAsync(4));
        await agent.UntilAsync(s => s is { Epoch: 4, LastStep: not null });
        Assert.DoesNotContain(files, File.Exists);
    }

    [Fact]
    public async Task A_page_tells_the_newest_marks_and_a_page_without_any_tells_nothing()
    {
        using var folder = new TestDirectory();
        var (file, clock) = (Path.Combine(folder.Path, "flight"), new VirtualTime());
        Assert.Null(FlightRecorder.Read(file, clock));
        FlightRecorder.Create(file);
        Assert.Null(FlightRecorder.Read(file, clock));
        Assert.Throws<FileNotFoundException>(() => FlightRecorder.Open(file + "-of-another", clock));
        using var flight = FlightRecorder.Open(file, clock);
        flight.Attempt(88);
        flight.Enter("a phase of a name that is too long", 7);
        flight.Submitted(1234);
        flight.Issued("reduce-scatter");
        flight.Finished(1232);
        flight.Issued("all-gather");
        flight.Waits(1234);
        await clock.AdvanceAsync(TimeSpan.FromSeconds(3), () => Task.CompletedTask);

        Assert.Equal(new() { Attempt = 88, Phase = "a phase of a nam", Block = 7, Seconds = 3, Submitted = 1234, Finished = 1232, WaitsFor = 1234, Collective = "all-gather" }, FlightRecorder.Read(file, clock));
        flight.Finished(1234);
        flight.Waits(0);
        flight.Enter("agreement");
        Assert.Equal(new() { Attempt = 88, Phase = "agreement", Submitted = 1234, Finished = 1234 }, FlightRecorder.Read(file, clock));
    }

    private static async Task<StacksReport> StacksAsync(AgentUnderTest agent) => JsonSerializer.Deserialize(await agent.Http.GetByteArrayAsync("/v1/stacks", Cancelled), ProtocolJson.Default.StacksReport)!;

    private static void Signal(int pid, string signal)
    {
        using var kill = Process.Start("/bin/kill", [$"-{signal}", pid.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }
}
