using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Tests.Kubelet;

/// <summary>What a pod sees of itself and of the cluster, as variables and files.</summary>
public sealed class VolumeTests
{
    [Fact]
    public async Task Fields_and_resources_of_the_pod_reach_it_as_variables_and_as_files_that_follow_changes()
    {
        await using var test = await ProcessCluster.StartAsync(accelerators: 2);
        await test.RunAsync("p", "echo $NAME $NODE $SA $CPU $MEM $GPU; while true; do cat $0/labels $0/cpu; echo; sleep 0.1; done", """
            {"args":["-c","echo $NAME $NODE $SA $CPU $MEM $GPU; while true; do cat $0/labels $0/cpu; echo; sleep 0.1; done","/etc/pod"],
             "resources":{"requests":{"cpu":"250m","memory":"64Mi"},"limits":{"memory":"128Mi","nvidia.com/gpu":"1"}},
             "env":[{"name":"NAME","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}},{"name":"NODE","valueFrom":{"fieldRef":{"fieldPath":"spec.nodeName"}}},
              {"name":"SA","valueFrom":{"fieldRef":{"fieldPath":"spec.serviceAccountName"}}},{"name":"CPU","valueFrom":{"resourceFieldRef":{"resource":"requests.cpu","divisor":"1m"}}},
              {"name":"MEM","valueFrom":{"resourceFieldRef":{"resource":"limits.memory","divisor":"1Mi"}}},{"name":"GPU","value":"$(NVIDIA_VISIBLE_DEVICES)"}],
             "volumeMounts":[{"name":"v","mountPath":"/etc/pod"}]}
            """, """
            {"volumes":[{"name":"v","downwardAPI":{"items":[{"path":"labels","fieldRef":{"fieldPath":"metadata.labels"}},{"path":"cpu","resourceFieldRef":{"containerName":"c","resource":"requests.cpu","divisor":"1m"}}]}}]}
            """);

        Assert.StartsWith("p node-1 default 250 128 0\napp=\"p\"250\n", await test.UntilLogAsync("p", "250\n"), StringComparison.Ordinal);
        await test.PatchAsync(Kinds.Pods, "p", """{"metadata":{"labels":{"tier":"gold"}}}""");
        await test.UntilLogAsync("p", "tier=\"gold\"");
    }

    [Fact]
    public async Task A_projected_volume_joins_its_sources_and_its_token_names_the_pods_account()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.CreateAsync(Kinds.ConfigMaps, """{"metadata":{"name":"cfg","namespace":"t"},"data":{"a":"from-map"}}""");
        await test.CreateAsync(Kinds.Secrets, """{"metadata":{"name":"sec","namespace":"t"},"stringData":{"b":"from-secret"}}""");
        await test.RunAsync("p", "", """
            {"args":["-c","cat $0/a $0/deep/b; echo; cut -d. -f2 $0/token; stat -L -c %a $0/deep/b; sleep 1000","/etc/all"],"volumeMounts":[{"name":"v","mountPath":"/etc/all"}]}
            """, """
            {"volumes":[{"name":"v","projected":{"sources":[{"configMap":{"name":"cfg"}},{"secret":{"name":"sec","items":[{"key":"b","path":"deep/b","mode":256}]}},{"serviceAccountToken":{"path":"token","audience":"me"}}]}}]}
            """);

        var lines = (await test.UntilLogAsync("p", "400")).Split('\n');

        Assert.Equal("from-mapfrom-secret", lines[0]);
        var claims = System.Text.Encoding.UTF8.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(lines[1]));
        Assert.Contains("\"sub\":\"system:serviceaccount:t:default\"", claims, StringComparison.Ordinal);
        Assert.Contains("\"aud\":[\"me\"]", claims, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_finds_its_service_account_by_the_variable_that_names_its_folder()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "ls $KUBERNETES_SERVICE_ACCOUNT_FOLDER; cat $KUBERNETES_SERVICE_ACCOUNT_FOLDER/namespace; echo; sleep 1000", spec: """{"automountServiceAccountToken":true}""");

        Assert.StartsWith("ca.crt\nnamespace\ntoken\nt", await test.UntilLogAsync("p", "token\nt"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_empty_directory_is_shared_by_the_containers_of_a_pod_outlives_their_restarts_and_goes_with_it()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "", """{"args":["-c","echo run >> $0/runs; [ $(wc -l < $0/runs) -ge 3 ] && sleep 1000; exit 1","/scratch"],"volumeMounts":[{"name":"v","mountPath":"/scratch"}]}""", """{"volumes":[{"name":"v","emptyDir":{}}]}""");
        var pod = await test.UntilAsync("p", p => p.IsRunningAndReady && ProcessCluster.Container(p).Number("restartCount") == 2, "the third run");
        var root = Path.Combine(test.Data, "nodes", "node-1", "pods", pod.Uid);
        await ProcessCluster.EventuallyAsync(async () => await File.ReadAllTextAsync(Path.Combine(root, "volumes", "v", "runs")) == "run\nrun\nrun\n", () => "every run wrote its line into the same file");

        await test.DeleteAsync("p");
        await test.UntilGoneAsync("p");

        await ProcessCluster.EventuallyAsync(() => Task.FromResult(!Directory.Exists(root)), () => "the pod's folder is gone");
    }
}
