using System.Globalization;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Tests.Kubelet;

/// <summary>Init containers that stay (restartPolicy Always), and init containers that fail.</summary>
public sealed class SidecarTests
{
    private const string Waits = "until [ -e $0/side ]; do sleep 0.05; done; echo main; exit 0";

    [Fact]
    public async Task A_sidecar_starts_before_the_main_container_and_ends_with_it()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "", $$$"""{"args":["-c","{{{Waits}}}","/shared"],"volumeMounts":[{"name":"v","mountPath":"/shared"}]}""", """
            {"restartPolicy":"Never","volumes":[{"name":"v","emptyDir":{}}],"initContainers":[{"name":"side","image":"sh","restartPolicy":"Always","volumeMounts":[{"name":"v","mountPath":"/shared"}],
             "args":["-c","trap 'echo bye; exit 0' TERM; touch $0/side; while true; do sleep 0.05; done","/shared"]}]}
            """);

        var pod = await test.UntilAsync("p", p => p.Phase == "Succeeded", "succeeded");

        var side = ProcessCluster.Container(pod, "initContainerStatuses");
        Assert.Equal(0, side.Number("state", "terminated", "exitCode"));
        Assert.Equal(0, side.Number("restartCount"));
        Assert.Equal("bye\n", await test.LogAsync("p", container: "side"));
        Assert.Empty(test.Cluster.Nodes!.AllProcessesOf(pod.Uid));
    }

    [Fact]
    public async Task A_sidecar_that_dies_is_started_again_and_holds_no_main_container_up()
    {
        await using var test = await ProcessCluster.StartAsync(backoff: 0.2);
        await test.RunAsync("p", "sleep 1; exit 1", spec: """
            {"initContainers":[{"name":"side","image":"sh","restartPolicy":"Always","args":["-c","sleep 0.3; exit 1"]}]}
            """);

        var pod = await test.UntilAsync("p", p => ProcessCluster.Container(p).Number("restartCount") >= 1 && ProcessCluster.Container(p, "initContainerStatuses").Number("restartCount") >= 2, "both restarted");

        Assert.Equal("Running", pod.Phase);
    }

    [Fact]
    public async Task Sidecars_outlive_the_main_container_of_a_deleted_pod()
    {
        await using var test = await ProcessCluster.StartAsync();
        var order = Path.Combine(test.Data, "order");
        await test.RunAsync("p", $"trap 'sleep 0.3; echo main >> {order}; exit 0' TERM; echo up; while true; do sleep 0.05; done", spec: $$$"""
            {"initContainers":[{"name":"side","image":"sh","restartPolicy":"Always","args":["-c","trap 'echo side >> {{{order}}}; exit 0' TERM; while true; do sleep 0.05; done"]}]}
            """);
        await test.UntilLogAsync("p", "up");

        await test.DeleteAsync("p");
        await test.UntilGoneAsync("p");

        Assert.Equal("main\nside\n", await File.ReadAllTextAsync(order));
    }

    [Fact]
    public async Task An_init_container_that_fails_for_good_fails_the_pod_and_ends_its_sidecars()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "echo never", spec: """
            {"restartPolicy":"Never","initContainers":[{"name":"side","image":"sh","restartPolicy":"Always","args":["-c","sleep 1000"]},{"name":"init","image":"sh","args":["-c","exit 4"]}],"terminationGracePeriodSeconds":0}
            """);

        var pod = await test.UntilAsync("p", p => p.Phase == "Failed", "failed");

        Assert.Equal("waiting", ProcessCluster.Container(pod)["state"]!.AsObject().First().Key);
        await ProcessCluster.EventuallyAsync(() => Task.FromResult(test.Cluster.Nodes!.AllProcessesOf(pod.Uid).Count == 0), () => "no process left");
    }

    [Fact]
    public async Task A_failing_init_container_is_tried_again_with_back_off_until_it_succeeds()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "sleep 1000", spec: $$$"""
            {"initContainers":[{"name":"init","image":"sh","args":["-c","echo x >> {{{test.Data}}}/tries; [ $(wc -l < {{{test.Data}}}/tries) -ge 3 ]"]}]}
            """);

        var pod = await test.UntilRunningAsync("p");

        Assert.Equal(2, ProcessCluster.Container(pod, "initContainerStatuses").Number("restartCount"));
    }

    [Fact]
    public async Task A_log_that_grows_is_rotated_and_a_follower_misses_nothing()
    {
        await using var test = await ProcessCluster.StartAsync(logBytes: 20_000, logFiles: 20);
        await test.RunAsync("p", "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; echo end", spec: """{"restartPolicy":"Never"}""");
        await test.UntilAsync("p", p => p.Objects("status", "containerStatuses").Any(c => c.At("state", "waiting") is null), "started");

        var followed = (await test.LogAsync("p", options: new PodLogOptions { Follow = true })).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var pod = await test.UntilAsync("p", p => p.Phase == "Succeeded", "succeeded");

        Assert.Equal("end", followed[^1]);
        var numbers = followed[..^1].Select(line => int.Parse(line.AsSpan(5), CultureInfo.InvariantCulture)).ToArray();
        Assert.Equal(Enumerable.Range(numbers[0], numbers.Length), numbers);   // from wherever the first read began, without a gap
        Assert.Equal(1999, numbers[^1]);
        var files = Directory.GetFiles(Path.Combine(test.Data, "nodes", "node-1", "pods", pod.Uid, "logs", "c"));
        Assert.InRange(files.Length, 4, 6);
        Assert.All(files, file => Assert.InRange(new FileInfo(file).Length, 1, 20_000));
    }

    [Fact]
    public async Task Rotated_logs_are_kept_up_to_a_number_of_files()
    {
        await using var test = await ProcessCluster.StartAsync(logBytes: 5_000, logFiles: 3);
        await test.RunAsync("p", "i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done", spec: """{"restartPolicy":"Never"}""");
        var pod = await test.UntilAsync("p", p => p.Phase == "Succeeded", "succeeded");

        Assert.Equal(3, Directory.GetFiles(Path.Combine(test.Data, "nodes", "node-1", "pods", pod.Uid, "logs", "c")).Length);
        Assert.EndsWith("line 999\n", await test.LogAsync("p"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_the_logs_of_the_present_and_the_last_run_are_kept()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "echo run; exit 1");

        var pod = await test.UntilAsync("p", p => ProcessCluster.Container(p).Number("restartCount") >= 3, "three restarts");

        Assert.InRange(Directory.GetFiles(Path.Combine(test.Data, "nodes", "node-1", "pods", pod.Uid, "logs", "c")).Length, 1, 2);
        Assert.Equal("run\n", await test.LogAsync("p", previous: true));
    }
}
