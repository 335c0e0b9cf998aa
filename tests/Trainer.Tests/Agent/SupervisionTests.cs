using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Opt.Api.Protocol;
using Opt.Trainer.Agent;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;
using Opt.Trainer.Tests.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Agent;

public sealed class SupervisionTests
{
    [Fact]
    public async Task Workers_run_report_steps_and_take_control_through_the_link()
    {
        await using var agent = await AgentUnderTest.StartAsync(AgentUnderTest.Scripted, workers: 2);
        await agent.PutPlanAsync(await agent.PlanAsync(1));
        var running = await agent.UntilAsync(s => s is { State: AgentState.Running, LastStep.Step: > 3 });
        Assert.Equal([0, 1], running.Workers.Select(w => w.Rank));
        Assert.All(running.Workers, w => Assert.Equal(WorkerState.Training, w.State));

        Assert.Equal(HttpStatusCode.Accepted, (await agent.PutControlAsync(new() { Epoch = 1, Revision = 4, HyperParameters = TestRun.HyperParameters })).Code);
        await agent.UntilAsync(s => s.Revision == 4);
        Assert.Contains("[rank 1] hello from 1 of 2, OMP 3", agent.Output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Steps_are_paged_by_index_and_a_long_poll_answers_as_soon_as_there_is_one()
    {
        await using var agent = await AgentUnderTest.StartAsync(AgentUnderTest.Scripted);
        Assert.Equal((0L, 0L), ((await agent.StepsAsync(1, 0)).Epoch, (await agent.StepsAsync(1, 0)).Next));
        await agent.PutPlanAsync(await agent.PlanAsync(1, totalSteps: 700));
        var first = await agent.StepsAsync(1, 0, wait: 20);
        Assert.Equal(1, first.Records[0].Step);

        var (after, seen) = (0L, new List<long>());
        while (seen.Count < 30)
        {
            var page = await agent.StepsAsync(1, after, wait: 20);
            Assert.Equal(after + page.Records.Count, page.Next);
            seen.AddRange(page.Records.Select(r => r.Step));
            after = page.Next;
        }

        Assert.Equal(Enumerable.Range(1, seen.Count).Select(i => (long)i), seen);
        Assert.Equal(1, (await agent.StepsAsync(99, 1000, wait: 20)).Records[0].Step);   // another epoch: from the beginning of the one that runs
    }

    [Fact]
    public async Task A_higher_epoch_ends_the_old_workers_before_the_new_ones_start()
    {
        await using var agent = await AgentUnderTest.StartAsync(AgentUnderTest.Shell("trap '' TERM; sleep 1000 & wait; sleep 1000"));
        await agent.PutPlanAsync(await agent.PlanAsync(1));
        var first = (await agent.UntilAsync(s => s.Workers is [{ Pid: not null }])).Workers[0].Pid!.Value;
        await agent.PutPlanAsync(await agent.PlanAsync(2));
        var second = (await agent.UntilAsync(s => s.Workers is [{ Pid: not null }] && s.Workers[0].Pid != first)).Workers[0].Pid!.Value;

        Assert.False(Directory.Exists($"/proc/{first}"), "reaped");
        Assert.Empty(Group(first));
        Assert.NotEmpty(Group(second));
        Assert.Equal(2, (await agent.StatusAsync()).Epoch);
    }

    [Fact]
    public async Task When_the_pod_ends_workers_get_its_grace_to_end()
    {
        await using var agent = await AgentUnderTest.StartAsync(AgentUnderTest.Shell("trap 'sleep 3; echo in time; exit 0' TERM; echo ready; while :; do sleep 0.1; done"));
        await agent.PutPlanAsync(await agent.PlanAsync(1));
        await agent.UntilAsync(_ => agent.Output.ToString().Contains("ready", StringComparison.Ordinal));

        await agent.EndAsync(TimeSpan.FromHours(1));

        Assert.Contains("in time", agent.Output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task When_the_pod_ends_workers_that_hang_in_an_epoch_that_is_over_are_killed_long_before_its_grace_is()
    {
        await using var agent = await AgentUnderTest.StartAsync(AgentUnderTest.Shell("trap '' TERM; echo ready; while :; do sleep 0.1; done"));
        await agent.PutFenceAsync(1);
        await agent.PutPlanAsync(await agent.PlanAsync(1));
        await agent.UntilAsync(_ => agent.Output.ToString().Contains("ready", StringComparison.Ordinal));
        var end = agent.EndAsync(TimeSpan.FromHours(1));

        using var elsewhere = new CommitLog(agent.Store, TestRun.JobUid, "opt-1", TimeProvider.System);
        await elsewhere.FenceAsync(2, adopt: false, TestContext.Current.CancellationToken);

        await end.WaitAsync(TimeSpan.FromMinutes(5), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_run_that_completes_is_flushed_to_the_store_and_the_agent_stays()
    {
        await using var agent = await AgentUnderTest.StartAsync(AgentUnderTest.Scripted);
        await agent.PutPlanAsync(await agent.PlanAsync(7, totalSteps: 25));
        var done = await agent.UntilAsync(s => s.State == AgentState.Completed);
        Assert.Equal((WorkerState.Exited, 0), (done.Workers[0].State, done.Workers[0].ExitCode));
        Assert.Equal(25, done.LastStep!.Step);

        byte[]? part = null;
        for (var i = 0; i < 6000 && part is null; i++)
        {
            part = await agent.Store.TryReadAsync("steps/epoch-000007/part-00000001.jsonl", 1 << 20, default);
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }

        Assert.Equal(25, System.Text.Encoding.UTF8.GetString(part!).Trim().Split('\n').Length);
        Assert.Equal(AgentState.Completed, (await agent.StatusAsync()).State);
    }

    [Fact]
    public async Task A_workers_own_account_of_its_end_reaches_the_status()
    {
        await using var agent = await AgentUnderTest.StartAsync(AgentUnderTest.Scripted);
        await agent.PutPlanAsync(await agent.PlanAsync(1));
        await agent.UntilAsync(s => s.State == AgentState.Running);
        await agent.PutControlAsync(new() { Epoch = 1, Revision = 1, Command = ControlCommand.Stop });
        var failed = await agent.UntilAsync(s => s.State == AgentState.Failed);
        Assert.Equal((WorkerExit.Data, (int?)WorkerExit.Data, "corpus pile/train is damaged"), (failed.Failure!.Exit, failed.Failure.ExitCode, failed.Failure.Message));
    }

    [Fact]
    public async Task The_failure_that_counts_is_the_first_that_is_not_peer_lost()
    {
        var script = """if [ "$OPT_RANK" = 0 ]; then echo "opt-trainer: peer-lost: rank 1 is gone" >&2; exit 70; fi; sleep 0.3; echo "CUDA error: uncorrectable ECC error encountered" >&2; kill -ABRT $$""";
        await using var agent = await AgentUnderTest.StartAsync(AgentUnderTest.Shell(script), workers: 2);
        await agent.PutPlanAsync(await agent.PlanAsync(1));
        var status = await agent.UntilAsync(s => s.Workers.All(w => w.State == WorkerState.Exited));
        Assert.Equal((AgentState.Failed, 1, WorkerExit.Device, 6), (status.State, status.Failure!.Rank, status.Failure.Exit, status.Failure.Signal));
        Assert.Contains("SIGABRT: CUDA error: uncorrectable ECC", status.Failure.Message, StringComparison.Ordinal);
        Assert.Equal(70, status.Workers[0].ExitCode);
    }

    [Fact]
    public async Task A_worker_killed_from_outside_is_reported_with_its_signal_and_its_children_die_with_it()
    {
        await using var agent = await AgentUnderTest.StartAsync(AgentUnderTest.Shell("sleep 1000 & sleep 1000"));
        await agent.PutPlanAsync(await agent.PlanAsync(1));
        var pid = (await agent.UntilAsync(s => s.Workers is [{ Pid: not null }])).Workers[0].Pid!.Value;
        System.Diagnostics.Process.GetProcessById(pid).Kill();
        var status = await agent.UntilAsync(s => s.State == AgentState.Failed);
        Assert.Equal((9, "killed by SIGKILL from outside"), (status.Failure!.Signal, status.Failure.Message));
        Assert.Empty(Group(pid));
    }

    [Fact]
    public async Task While_workers_restore_the_status_shows_each_ones_share_and_an_estimate_and_then_no_more()
    {
        // Rank 1 has nothing yet: no estimate. It trains on once a file says so.
        var script = """
            echo '{"state":"restoring"}' >&"$OPT_CHANNEL_FD"
            if [ "$OPT_RANK" = 0 ]; then echo '{"restoreProgress":0.25}' >&"$OPT_CHANNEL_FD"; while [ ! -e "$OPT_RUN_DIR/go" ]; do sleep 0.05; done; echo '{"state":"training"}' >&"$OPT_CHANNEL_FD"; fi
            sleep 1000
            """;
        await using var agent = await AgentUnderTest.StartAsync(AgentUnderTest.Shell(script), workers: 2);
        await agent.PutPlanAsync(await agent.PlanAsync(1));
        var status = await agent.UntilAsync(s => s.Workers.All(w => w.State == WorkerState.Restoring) && s.Workers[0].RestoreProgress is not null);
        Assert.Equal([0.25, null], status.Workers.Select(w => w.RestoreProgress));
        Assert.Null(status.Workers[1].RestoreSecondsLeft);
        Assert.InRange(status.Workers[0].RestoreSecondsLeft!.Value, 0, double.MaxValue);
        Assert.Contains("opt_worker_restore_progress{rank=\"0\"} 0.25\n", await agent.Http.GetStringAsync(new Uri("/metrics", UriKind.Relative)), StringComparison.Ordinal);

        await File.WriteAllTextAsync(Path.Combine(agent.Options.RunDirectory, "go"), "");
        var trains = await agent.UntilAsync(s => s.Workers[0].State == WorkerState.Training);
        Assert.Equal((null, null), (trains.Workers[0].RestoreProgress, trains.Workers[0].RestoreSecondsLeft));
    }

    [Fact]
    public async Task A_program_that_cannot_be_started_is_a_failure_of_its_rank()
    {
        await using var agent = await AgentUnderTest.StartAsync(["/nonexistent/opt-trainer", "worker"]);
        await agent.PutPlanAsync(await agent.PlanAsync(1));
        var status = await agent.UntilAsync(s => s.State == AgentState.Failed);
        Assert.Contains("/nonexistent/opt-trainer could not be started: No such file", status.Failure!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_taken_rendezvous_port_has_its_own_exit_code()
    {
        using var taken = new TcpListener(IPAddress.Any, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await using var agent = await AgentUnderTest.StartAsync(rendezvous: new TorchRendezvousHost());
        await agent.PutPlanAsync(await agent.PlanAsync(1, port: port));
        var status = await agent.UntilAsync(s => s.State == AgentState.Failed);
        Assert.Equal(WorkerExit.PortInUse, status.Failure!.Exit);
        Assert.Contains($"port {port.ToString(CultureInfo.InvariantCulture)} is taken", status.Failure.Message, StringComparison.Ordinal);
    }

    /// <summary>The agent is killed with SIGKILL, so nothing of it can act: its workers end by themselves.</summary>
    [Fact]
    public async Task Workers_of_a_killed_agent_end_within_seconds()
    {
        using var folder = new TestDirectory();
        var token = Path.Combine(folder.Path, "token");
        await File.WriteAllTextAsync(token, AgentUnderTest.Token);
        var port = RealAgent.FreePort();
        using var agent = RealAgent.Start(folder.Path, token, port);
        await using var probe = await AgentUnderTest.StartAsync();   // for the shape of a plan
        var plan = await probe.PlanAsync(1);
        using var client = new RealAgent.Client(port);
        var instance = (await client.StatusAsync()).Instance;
        await client.PutPlanAsync(plan with { Members = [plan.Members[0] with { AgentInstance = instance }], WorkersPerMember = 2 });
        var pids = await client.WorkerPidsAsync(2);

        agent.Kill();
        await agent.WaitForExitAsync();
        for (var i = 0; i < 2400 && pids.Any(IsAlive); i++) await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        Assert.DoesNotContain(pids, IsAlive);
    }

    private static bool IsAlive(int pid) => File.Exists($"/proc/{pid}/stat") && !File.ReadAllText($"/proc/{pid}/stat").Split(") ")[1].StartsWith('Z');

    /// <summary>Processes of a group, zombies left out.</summary>
    private static List<int> Group(int leader)
    {
        var members = new List<int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc").Where(d => char.IsAsciiDigit(Path.GetFileName(d)[0])))
        {
            try
            {
                var fields = File.ReadAllText(Path.Combine(folder, "stat")).Split(") ")[1].Split(' ');
                if (fields[2] == leader.ToString(CultureInfo.InvariantCulture) && fields[0] != "Z") members.Add(int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture));
            }
            catch (IOException)
            {
                // ended meanwhile
            }
        }

        return members;
    }
}
