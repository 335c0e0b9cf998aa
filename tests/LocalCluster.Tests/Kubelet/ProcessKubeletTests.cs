using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Kubelet.Processes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Tests.Kubelet;

/// <summary>Pods as real processes.</summary>
public sealed class ProcessKubeletTests
{
    [Fact]
    public async Task A_pod_runs_as_a_process_with_its_own_address_and_reports_itself()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "echo hello from $POD_IP; sleep 100", """{"env":[{"name":"POD_IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}]}""");
        var pod = await test.UntilRunningAsync("p");

        Assert.StartsWith("127.", pod.PodIp, StringComparison.Ordinal);
        Assert.NotEqual(pod.PodIp, pod.Text("status", "hostIP"));
        Assert.Contains($"hello from {pod.PodIp}", await test.UntilLogAsync("p", "hello"), StringComparison.Ordinal);
        Assert.Equal(["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"], pod.Objects("status", "conditions").Where(c => c.Text("status") == "True").Select(c => c.Text("type")).OrderBy(t => Array.IndexOf(["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"], t)));
        var events = await test.EventsAsync("p");
        Assert.Contains("Scheduled: Successfully assigned t/p to node-1", events);
        Assert.Contains("Pulled: Container image \"sh\" already present on machine", events);
        Assert.Contains("Created: Created container: c", events);
        Assert.Contains("Started: Started container c", events);
    }

    [Fact]
    public async Task A_deleted_pod_gets_SIGTERM_and_its_whole_process_tree_dies()
    {
        await using var test = await ProcessCluster.StartAsync();
        var marker = Path.Combine(test.Data, "said-goodbye");
        await test.RunAsync("p", $"trap 'echo > {marker}; exit 0' TERM; (setsid sleep 1000 &) ; sleep 1000 & echo up; wait");
        var uid = (await test.UntilRunningAsync("p")).Uid;
        await test.UntilLogAsync("p", "up");
        Assert.True(test.Cluster.Nodes!.AllProcessesOf(uid).Count >= 3);

        await test.DeleteAsync("p");
        await test.UntilGoneAsync("p");

        Assert.True(File.Exists(marker));
        Assert.Empty(test.Cluster.Nodes.AllProcessesOf(uid));
        Assert.Contains("Killing: Stopping container c", await test.EventsAsync("p"));
    }

    [Fact]
    public async Task A_process_that_ignores_SIGTERM_is_killed_after_its_grace_period()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "trap '' TERM; echo up; while true; do sleep 0.1; done", spec: """{"terminationGracePeriodSeconds":1}""");
        await test.UntilLogAsync("p", "up");
        var started = TimeProvider.System.GetTimestamp();

        await test.DeleteAsync("p");
        await test.UntilGoneAsync("p");

        Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalSeconds, 0.9, 25);   // below the 30 s of the default
    }

    [Fact]
    public async Task A_force_deleted_pod_leaves_no_process_either()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "trap '' TERM; echo up; while true; do sleep 0.1; done");
        var uid = (await test.UntilRunningAsync("p")).Uid;

        await test.DeleteAsync("p", """{"gracePeriodSeconds":0}""");

        Assert.Null(await test.FindAsync("p"));
        await ProcessCluster.EventuallyAsync(() => Task.FromResult(test.Cluster.Nodes!.AllProcessesOf(uid).Count == 0), () => "no process left");
    }

    [Fact]
    public async Task A_crashing_container_restarts_with_back_off_and_keeps_the_log_of_the_run_before()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "echo run $$$$; exit 3");

        var waiting = await test.UntilAsync("p", p => ProcessCluster.Container(p).Text("state", "waiting", "reason") == "CrashLoopBackOff" && ProcessCluster.Container(p).Number("restartCount") >= 2, "crash loop");

        Assert.Equal(3, ProcessCluster.Container(waiting).Number("lastState", "terminated", "exitCode"));
        Assert.Equal("Error", ProcessCluster.Container(waiting).Text("lastState", "terminated", "reason"));
        Assert.Equal("Running", waiting.Phase);
        Assert.Contains("restarting failed container=c pod=p_t(", ProcessCluster.Container(waiting).Text("state", "waiting", "message"), StringComparison.Ordinal);
        var (now, before) = (await test.LogAsync("p"), await test.LogAsync("p", previous: true));
        Assert.NotEqual(now, before);
        Assert.StartsWith("run ", before, StringComparison.Ordinal);
        Assert.Contains(await test.EventsAsync("p"), e => e.StartsWith("BackOff: Back-off restarting failed container c in pod p_t(", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Never", "exit 0", "Succeeded", 0)]
    [InlineData("Never", "exit 7", "Failed", 7)]
    [InlineData("OnFailure", "exit 0", "Succeeded", 0)]
    [InlineData("Never", "kill -9 $$$$", "Failed", 137)]
    public async Task The_restart_policy_decides_how_a_pod_ends(string policy, string script, string phase, int code)
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", script, spec: $$"""{"restartPolicy":"{{policy}}"}""");

        var pod = await test.UntilAsync("p", p => p.IsFinished, "finished");

        Assert.Equal(phase, pod.Phase);
        Assert.Equal(code, ProcessCluster.Container(pod).Number("state", "terminated", "exitCode"));
        await test.DeleteAsync("p");
        await test.UntilGoneAsync("p");
    }

    [Fact]
    public async Task Init_containers_run_one_after_another_before_the_others()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "cat $SHARED/order; sleep 100", """{"env":[{"name":"SHARED","value":"/shared"}],"volumeMounts":[{"name":"v","mountPath":"/shared"}]}""", """
            {"volumes":[{"name":"v","emptyDir":{}}],"initContainers":[
             {"name":"one","image":"sh","args":["-c","sleep 0.2; echo one >> $0/order","/shared"],"volumeMounts":[{"name":"v","mountPath":"/shared"}]},
             {"name":"two","image":"sh","args":["-c","echo two >> $0/order","/shared"],"volumeMounts":[{"name":"v","mountPath":"/shared"}]}]}
            """);

        var pod = await test.UntilRunningAsync("p");

        Assert.Equal("one\ntwo\n", await test.UntilLogAsync("p", "two"));
        Assert.Equal(["Completed", "Completed"], pod.Objects("status", "initContainerStatuses").Select(c => c.Text("state", "terminated", "reason")));
    }

    [Fact]
    public async Task An_unknown_image_backs_off_as_a_failed_pull()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "true", """{"image":"registry.example.com/none:1"}""");

        var pod = await test.UntilAsync("p", p => p.Objects("status", "containerStatuses").Any(c => c.Text("state", "waiting", "reason") == "ImagePullBackOff"), "ImagePullBackOff");

        Assert.Equal("Pending", pod.Phase);
        Assert.Contains("--image registry.example.com/none:1=PATH", ProcessCluster.Container(pod).Text("state", "waiting", "message"), StringComparison.Ordinal);
        await test.DeleteAsync("p");
        await test.UntilGoneAsync("p");
    }

    [Fact]
    public async Task Config_maps_and_secrets_reach_the_container_as_variables_and_as_files_that_follow_changes()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.CreateAsync(Kinds.ConfigMaps, """{"metadata":{"name":"cfg","namespace":"t"},"data":{"plan.json":"one","LEVEL":"debug"}}""");
        await test.CreateAsync(Kinds.Secrets, """{"metadata":{"name":"sec","namespace":"t"},"stringData":{"token":"s3cret"}}""");
        await test.RunAsync("p", "echo $LEVEL $TOKEN $ALL_LEVEL $REF; while true; do cat $PLAN; echo; sleep 0.1; done", """
            {"env":[{"name":"LEVEL","valueFrom":{"configMapKeyRef":{"name":"cfg","key":"LEVEL"}}},{"name":"TOKEN","valueFrom":{"secretKeyRef":{"name":"sec","key":"token"}}},
              {"name":"REF","value":"$(LEVEL)-$(NONE)-$$(LEVEL)"},{"name":"PLAN","value":"/etc/opt/plan.json"}],
             "envFrom":[{"prefix":"ALL_","configMapRef":{"name":"cfg"}}],"volumeMounts":[{"name":"v","mountPath":"/etc/opt"}]}
            """, """{"volumes":[{"name":"v","configMap":{"name":"cfg"}}]}""");

        Assert.StartsWith("debug s3cret debug debug-$(NONE)-$(LEVEL)\none\n", await test.UntilLogAsync("p", "one"), StringComparison.Ordinal);

        await test.PatchAsync(Kinds.ConfigMaps, "cfg", """{"data":{"plan.json":"two"}}""");
        await test.UntilLogAsync("p", "two");
    }

    [Fact]
    public async Task A_missing_config_map_holds_the_container_until_it_appears()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "echo got $X; sleep 100", """{"env":[{"name":"X","valueFrom":{"configMapKeyRef":{"name":"late","key":"x"}}}]}""");
        var waiting = await test.UntilAsync("p", p => p.Objects("status", "containerStatuses").Any(c => c.Text("state", "waiting", "reason") == "CreateContainerConfigError"), "CreateContainerConfigError");
        Assert.Equal("configmap \"late\" not found", ProcessCluster.Container(waiting).Text("state", "waiting", "message"));

        await test.CreateAsync(Kinds.ConfigMaps, """{"metadata":{"name":"late","namespace":"t"},"data":{"x":"it"}}""");

        await test.UntilLogAsync("p", "got it");
    }

    [Fact]
    public async Task Host_paths_are_where_the_mapping_says_and_outlive_the_pod()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "echo kept > $1/file; exit 0", """{"args":["-c","echo kept > $1/file","x","/data/deep"],"volumeMounts":[{"name":"v","mountPath":"/data"}]}""",
            """{"restartPolicy":"Never","volumes":[{"name":"v","hostPath":{"path":"/var/lib/opt","type":"DirectoryOrCreate"}}],"initContainers":[{"name":"i","image":"sh","args":["-c","mkdir $0","/data/deep"],"volumeMounts":[{"name":"v","mountPath":"/data"}]}]}""");
        await test.UntilAsync("p", p => p.Phase == "Succeeded", "succeeded");

        Assert.Equal("kept\n", await File.ReadAllTextAsync(Path.Combine(test.Data, "host", "deep", "file")));
    }

    [Fact]
    public async Task A_failing_liveness_probe_restarts_the_container_and_a_readiness_probe_takes_it_out()
    {
        await using var test = await ProcessCluster.StartAsync();
        var (alive, ready) = (Path.Combine(test.Data, "alive"), Path.Combine(test.Data, "ready"));
        await File.WriteAllTextAsync(alive, "");
        await test.RunAsync("p", "sleep 1000", $$$"""
            {"livenessProbe":{"exec":{"command":["test","-e","{{{alive}}}"]},"periodSeconds":1,"failureThreshold":1},
             "readinessProbe":{"exec":{"command":["test","-e","{{{ready}}}"]},"periodSeconds":1,"failureThreshold":1}}
            """, """{"terminationGracePeriodSeconds":0}""");
        await test.UntilAsync("p", p => p.Phase == "Running", "running");
        Assert.False((await test.FindAsync("p"))!.IsPodReady);

        await File.WriteAllTextAsync(ready, "");
        await test.UntilRunningAsync("p");
        File.Delete(alive);
        var restarted = await test.UntilAsync("p", p => ProcessCluster.Container(p).Number("restartCount") >= 1, "restarted");

        Assert.Equal(137, ProcessCluster.Container(restarted).Number("lastState", "terminated", "exitCode"));
        var events = await test.EventsAsync("p");
        Assert.Contains("Killing: Container c failed liveness probe, will be restarted", events);
        Assert.Contains(events, e => e.StartsWith("Unhealthy: Liveness probe failed: command exited with code 1", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_startup_probe_holds_back_readiness()
    {
        await using var test = await ProcessCluster.StartAsync();
        var up = Path.Combine(test.Data, "up");
        await test.RunAsync("p", "sleep 1000", $$$"""{"startupProbe":{"exec":{"command":["test","-e","{{{up}}}"]},"periodSeconds":1,"failureThreshold":60}}""");
        var starting = await test.UntilAsync("p", p => p.Phase == "Running", "running");
        Assert.False(starting.IsPodReady);
        Assert.False(ProcessCluster.Container(starting).Flag("started"));

        await File.WriteAllTextAsync(up, "");
        Assert.True(ProcessCluster.Container(await test.UntilRunningAsync("p")).Flag("started"));
    }

    [Fact]
    public async Task A_preStop_hook_runs_before_the_signal()
    {
        await using var test = await ProcessCluster.StartAsync();
        var file = Path.Combine(test.Data, "order");
        await test.RunAsync("p", $"trap 'echo term >> {file}; exit 0' TERM; echo up; while true; do sleep 0.05; done", $$$"""{"lifecycle":{"preStop":{"exec":{"command":["/bin/sh","-c","echo hook >> {{{file}}}"]} } } }""");
        await test.UntilLogAsync("p", "up");

        await test.DeleteAsync("p");
        await test.UntilGoneAsync("p");

        Assert.Equal("hook\nterm\n", await File.ReadAllTextAsync(file));
    }

    [Fact]
    public async Task Logs_can_be_followed_tailed_and_stamped()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "for i in 1 2 3; do echo line $i; done; sleep 0.5; echo last", spec: """{"restartPolicy":"Never"}""");
        await test.UntilLogAsync("p", "line 3");

        Assert.Equal("line 1\nline 2\nline 3\nlast\n", await test.LogAsync("p", options: new PodLogOptions { Follow = true }));
        Assert.Equal("last\n", await test.LogAsync("p", options: new PodLogOptions { TailLines = 1 }));
        Assert.Matches(@"^\d{4}-\d\d-\d\dT[0-9:.]+Z last\n$", await test.LogAsync("p", options: new PodLogOptions { TailLines = 1, Timestamps = true }));
        Assert.Equal("line", await test.LogAsync("p", options: new PodLogOptions { LimitBytes = 4 }));
    }

    [Fact]
    public async Task Accelerators_are_given_out_and_a_pod_too_many_is_rejected_by_its_node()
    {
        await using var test = await ProcessCluster.StartAsync(accelerators: 2);
        const string TwoOf = """{"resources":{"limits":{"nvidia.com/gpu":"2"}}}""";
        await test.RunAsync("p", "echo have $OPT_LOCAL_ACCELERATORS: $NVIDIA_VISIBLE_DEVICES; sleep 100", TwoOf);
        await test.UntilLogAsync("p", "have 2: 0,1");

        await test.RunAsync("forced", "true", TwoOf, """{"nodeName":"node-1"}""");
        var rejected = await test.UntilAsync("forced", p => p.Phase == "Failed", "rejected");
        Assert.Equal("UnexpectedAdmissionError", rejected.Text("status", "reason"));

        await test.RunAsync("waits", "sleep 100", TwoOf);
        await test.UntilAsync("waits", p => Condition.Find(p, "PodScheduled").Text("reason") == "Unschedulable", "unschedulable");
        await test.DeleteAsync("p");
        await test.UntilRunningAsync("waits");
    }

    [Fact]
    public async Task Orphans_of_a_killed_cluster_die_by_the_watchdog_and_at_the_next_start()
    {
        var instance = $"test-{Guid.NewGuid():N}";
        var log = Path.GetTempFileName();
        using var output = new ContainerLog(log, TimeProvider.System);
        using var process = ContainerProcess.Start(new ProcessSpec("/bin/sh", ["-c", "(setsid sleep 1000 &); sleep 1000"], new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin" }, "/", $"{instance}/uid/c/"), output, TimeProvider.System);
        await ProcessCluster.EventuallyAsync(() => Task.FromResult(ProcessTable.WithMarker(instance).Count() >= 3), () => "started");

        Watchdog.Start(instance).Dispose();   // the pipe closes, as it does when the parent is gone
        await ProcessCluster.EventuallyAsync(() => Task.FromResult(!ProcessTable.WithMarker(instance).Any()), () => "killed by the watchdog");

        instance += "-next";   // the watchdog may still be looking around for the first one
        using var again = ContainerProcess.Start(new ProcessSpec("/bin/sleep", ["1000"], new Dictionary<string, string>(), "/", $"{instance}/uid/c/"), output, TimeProvider.System);
        Assert.Equal(1, Watchdog.KillOrphans($"{instance}/"));
        Assert.Equal(137, await again.Exited);
        File.Delete(log);
    }
}
