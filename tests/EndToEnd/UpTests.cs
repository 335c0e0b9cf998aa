using System.Globalization;
using Xunit;

namespace Opt.EndToEnd;

/// <summary><c>opt-local up</c> as a program: killed and started again, with nodes of both kinds that fail on command.</summary>
public sealed class UpTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_killed_up_leaves_no_process_behind_and_goes_on_with_its_state_when_it_is_started_again()
    {
        var seconds = Random.Shared.Next(100_000_000, 999_999_999).ToString(CultureInfo.InvariantCulture);   // finds our processes among all
        await using var plane = await ControlPlane.StartAsync(Cancelled, "--persist", "--image", "sh=/bin/sh");
        await plane.KubectlAsync(Cancelled, "run", "p", "--image=sh", "--", "-c", $"echo alive; sleep {seconds} & wait");
        await plane.KubectlAsync(Cancelled, "wait", "--for=condition=Ready", "pod/p", "--timeout=100s");
        var uid = await plane.KubectlAsync(Cancelled, "get", "pod", "p", "-o", "jsonpath={.metadata.uid}");
        await plane.EventuallyAsync("the pod's process", () => Task.FromResult(Sleeping(seconds) == 1), Cancelled);

        await plane.KillAsync(Cancelled);
        await plane.EventuallyAsync("no process is left", () => Task.FromResult(Sleeping(seconds) == 0), Cancelled);
        await plane.UpAsync(Cancelled);

        await plane.EventuallyAsync("the pod runs again", async () =>
            await plane.KubectlAsync(Cancelled, "get", "pod", "p", "-o", "jsonpath={.metadata.uid} {.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}") == $"{uid} 1 true", Cancelled);
        await plane.EventuallyAsync("one process again", () => Task.FromResult(Sleeping(seconds) == 1), Cancelled);
        Assert.Equal("alive\n", await plane.KubectlAsync(Cancelled, "logs", "p", "--previous"));
        Assert.Equal("alive\n", await plane.KubectlAsync(Cancelled, "logs", "p"));
    }

    [Fact]
    public async Task Machines_and_simulated_nodes_fail_and_return_on_command()
    {
        await using var plane = await ControlPlane.StartAsync(Cancelled, "--simulated-nodes", "2", "--accelerators-per-node", "1", "--node-monitor-grace-period", "2s");
        Assert.Equal("node-1 sim-1 sim-2", await plane.KubectlAsync(Cancelled, "get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"));
        await plane.KubectlAsync(Cancelled, "run", "anything", "--image=registry.example.com/huge:1", """--overrides={"spec":{"nodeName":"sim-2"}}""");
        await plane.KubectlAsync(Cancelled, "wait", "--for=condition=Ready", "pod/anything", "--timeout=100s");

        foreach (var node in (string[])["sim-1", "node-1"]) await plane.NodeAsync("kill", node, Cancelled);
        await plane.KubectlAsync(Cancelled, "wait", "--for=condition=Ready=unknown", "node/sim-1", "node/node-1", "--timeout=100s");
        foreach (var node in (string[])["sim-1", "node-1"]) await plane.NodeAsync("start", node, Cancelled);
        await plane.KubectlAsync(Cancelled, "wait", "--for=condition=Ready", "node/sim-1", "node/node-1", "--timeout=100s");
    }

    private static int Sleeping(string seconds) => Directory.GetDirectories("/proc")
        .Where(folder => int.TryParse(Path.GetFileName(folder), out _))
        .Count(folder => CommandLine(folder) == $"sleep\0{seconds}\0");

    private static string CommandLine(string folder)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, "cmdline"));
        }
        catch (IOException)
        {
            return "";   // it ended meanwhile
        }
    }
}
