using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Opt.Testing;
using Xunit;

namespace Opt.EndToEnd;

/// <summary>What a user types at a cluster, one chapter a method, by one kubectl in a namespace of its own.</summary>
internal sealed class KubectlWalk(ControlPlane plane, string kubectl, string chapter)
{
    private const string Web = """
        apiVersion: apps/v1
        kind: StatefulSet
        metadata: {name: web, labels: {app: web}}
        spec:
          serviceName: web
          replicas: 2
          podManagementPolicy: Parallel
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec:
              terminationGracePeriodSeconds: 1
              containers:
              - {name: c, image: sh, args: ["-c", "echo started; exec sleep 1000"], resources: {limits: {nvidia.com/gpu: "1"}}}
        """;

    private readonly string _namespace = $"{chapter}-{kubectl.Replace('.', '-')}";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Applied, shown, watched, scaled and deleted.</summary>
    public async Task WorkloadsAsync()
    {
        await EnterAsync();
        var file = await plane.FileAsync($"{_namespace}-web.yaml", Web);
        Assert.Equal("statefulset.apps/web created\n", await RunAsync("apply", "-f", file));
        Assert.EndsWith("2 new pods have been updated...\n", await RunAsync("rollout", "status", "sts/web", "--timeout=100s"), StringComparison.Ordinal);
        Assert.Equal("statefulset.apps/web unchanged\n", await RunAsync("apply", "-f", file));

        Assert.Matches(@"^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\nweb-0 +1/1 +Running +0 +\d+s +127[.0-9]+ +node-\d +<none> +<none>\nweb-1 ", await RunAsync("get", "pods", "-o", "wide"));
        Assert.Equal("web-1 web-0", await RunAsync("get", "pods", "--sort-by=.metadata.labels.apps\\.kubernetes\\.io/pod-index", "-o", "jsonpath={.items[1].metadata.name} {.items[0].metadata.name}"));
        Assert.Contains("\n    controller-revision-hash: web-", await RunAsync("get", "pod", "web-0", "-o", "yaml"), StringComparison.Ordinal);
        Assert.Matches(@"^NAME +READY +AGE +CONTAINERS +IMAGES\nweb +2/2 +\d+s +c +sh\n$", await RunAsync("get", "sts", "-o", "wide"));
        await ShowsAsync(@"(?s)Controlled By: +StatefulSet/web\n.*State: +Running\n.*nvidia.com/gpu: +1\n.*ContainersReady +True.*QoS Class: +BestEffort\n.*Normal +Scheduled .*default-scheduler +Successfully assigned .*/web-0 to node-.*Normal +Started ", "describe", "pod", "web-0");
        await ShowsAsync(@"(?s)Replicas: +2 desired \| 2 total\n.*Pods Status: +2 Running / 0 Waiting / 0 Succeeded / 0 Failed.*SuccessfulCreate ", "describe", "sts", "web");

        using var watch = plane.Launch(kubectl, "-n", _namespace, "get", "pods", "-w");
        Assert.StartsWith("NAME ", await watch.StandardOutput.ReadLineAsync(Cancelled), StringComparison.Ordinal);
        Assert.Equal("statefulset.apps/web scaled\n", await RunAsync("scale", "sts/web", "--replicas=1"));
        Assert.Matches("^pod/web-1 condition met\n$|^$", await RunAsync("wait", "--for=delete", "pod/web-1", "--timeout=100s"));
        Assert.Contains("web-1", await UntilLineAsync(watch, "Terminating"), StringComparison.Ordinal);
        watch.Kill();

        await RunAsync("rollout", "restart", "sts/web");
        Assert.Contains("partitioned roll out complete: 1 new pods have been updated", await RunAsync("rollout", "status", "sts/web", "--timeout=100s"), StringComparison.Ordinal);
        Assert.Equal("pod/web-0 condition met\n", await RunAsync("wait", "--for=condition=Ready", "pod/web-0", "--timeout=100s"));
        Assert.Equal("statefulset.apps/web condition met\n", await RunAsync("wait", "--for=jsonpath={.status.readyReplicas}=1", "sts/web", "--timeout=100s"));
        Assert.StartsWith("statefulset.apps \"web\" deleted", await RunAsync("delete", "sts", "web", "--cascade=foreground", "--timeout=100s"), StringComparison.Ordinal);
        Assert.Equal("", await RunAsync("get", "pods", "-o", "name"));
    }

    /// <summary>Rolled out and back; services and jobs described.</summary>
    public async Task DeploymentsAsync()
    {
        await EnterAsync();
        Assert.Equal("deployment.apps/d created\n", await RunAsync("create", "deployment", "d", "--image=sh", "--replicas=2", "--", "/bin/sh", "-c", "trap 'exit 0' TERM; while true; do sleep 0.1; done"));
        Assert.EndsWith("deployment \"d\" successfully rolled out\n", await RunAsync("rollout", "status", "deploy/d", "--timeout=100s"), StringComparison.Ordinal);
        Assert.Equal("deployment.apps/d env updated\n", await RunAsync("set", "env", "deploy/d", "A=1"));
        await RunAsync("rollout", "status", "deploy/d", "--timeout=100s");
        Assert.Matches(@"REVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>\n", await RunAsync("rollout", "history", "deploy/d"));
        Assert.Equal("deployment.apps/d rolled back\n", await RunAsync("rollout", "undo", "deploy/d"));
        await RunAsync("rollout", "status", "deploy/d", "--timeout=100s");
        Assert.Equal("service/d exposed\n", await RunAsync("expose", "deploy", "d", "--port=80"));
        await plane.EventuallyAsync("two endpoints", async () => (await RunAsync("get", "endpointslices", "-o", "jsonpath={.items[*].endpoints[*].addresses[0]}")).Split(' ').Length == 2, Cancelled);
        await ShowsAsync(@"(?s)Type: +ClusterIP\n.*Endpoints: +127[.0-9]+:80,127[.0-9]+:80\n", "describe", "service", "d");

        Assert.Equal("job.batch/j created\n", await RunAsync("create", "job", "j", "--image=sh", "--", "/bin/sh", "-c", "echo done"));
        Assert.Equal("job.batch/j condition met\n", await RunAsync("wait", "--for=condition=complete", "job/j", "--timeout=100s"));
        Assert.Equal("done\n", await RunAsync("logs", "job/j"));
        await ShowsAsync("(?s)Completed .*job-controller +Job completed", "describe", "job", "j");
        Assert.Matches(@"j +Complete +1/1 ", await RunAsync("get", "all"));
        await RunAsync("delete", "deploy,svc,job", "--all");
    }

    /// <summary>Printed, followed and kept over a restart; what the local cluster has not is refused clearly.</summary>
    public async Task LogsAsync()
    {
        await EnterAsync();
        var ready = Path.Combine(plane.Folder, $"{_namespace}-followed");
        await RunAsync("run", "p", "--image=sh", "--restart=Always", "--", "-c", $"echo one; until [ -e {ready} ]; do sleep 0.1; done; echo two; exit 3");
        await RunAsync("wait", "--for=condition=Ready", "pod/p", "--timeout=100s");   // kubectl follows no container that has not started

        using var follow = plane.Launch(kubectl, "-n", _namespace, "logs", "-f", "p");
        Assert.Equal("one", await follow.StandardOutput.ReadLineAsync(Cancelled));
        await File.WriteAllTextAsync(ready, "", Cancelled);
        Assert.Equal("two\n", await follow.StandardOutput.ReadToEndAsync(Cancelled));
        await plane.EventuallyAsync("a restart", async () => int.Parse("0" + await RunAsync("get", "pod", "p", "-o", "jsonpath={.status.containerStatuses[0].restartCount}"), System.Globalization.CultureInfo.InvariantCulture) >= 1, Cancelled);
        Assert.Equal("one\ntwo\n", await RunAsync("logs", "p", "--previous"));
        await ShowsAsync(@"Last State: +Terminated\n +Reason: +Error\n +Exit Code: +3\n", "describe", "pod", "p");
        Assert.Matches(@"^\d{4}-\d\d-\d\dT[0-9:.]+Z two\n$", await RunAsync("logs", "p", "--previous", "--tail=1", "--timestamps"));

        Assert.Contains("exec is not served by the local cluster", await FailAsync("exec", "p", "--", "true"), StringComparison.Ordinal);
        Assert.Equal("Error from server (NotFound): pods \"none\" not found\n", await FailAsync("get", "pod", "none"));
        Assert.Contains("error: container none is not valid for pod p", await FailAsync("logs", "p", "-c", "none"), StringComparison.Ordinal);
        Assert.Contains("Metrics API not available", await FailAsync("top", "pods"), StringComparison.Ordinal);
        await RunAsync("delete", "pod", "p", "--now");
    }

    /// <summary>Edited, patched, labelled, and applied from the server side.</summary>
    public async Task EditsAsync()
    {
        await EnterAsync();
        var file = await plane.FileAsync($"{_namespace}-map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {a: one}\n");
        Assert.Equal("configmap/m serverside-applied\n", await RunAsync("apply", "--server-side", "-f", file));
        Assert.Equal("configmap/m patched\n", await RunAsync("patch", "cm", "m", "--type=merge", "-p", """{"data":{"a":"two"}}"""));
        Assert.Contains("Apply failed with 1 conflict: conflict with \"kubectl-patch\" using v1: .data.a", await FailAsync("apply", "--server-side", "-f", file), StringComparison.Ordinal);
        Assert.Equal("configmap/m serverside-applied\n", await RunAsync("apply", "--server-side", "--force-conflicts", "-f", file));
        Assert.Equal("configmap/m patched\n", await RunAsync("patch", "cm", "m", "--type=json", "-p", """[{"op":"add","path":"/data/b","value":"x"}]"""));
        Assert.Equal("configmap/m patched (no change)\n", await RunAsync("patch", "cm", "m", "-p", """{"data":{"b":"x"}}"""));
        Assert.Equal("one x", await RunAsync("get", "cm", "m", "-o", "jsonpath={.data.a} {.data.b}"));

        Assert.Equal("configmap/m edited\n", (await plane.EditAsync(kubectl, ["-n", _namespace, "edit", "cm", "m"], "sed -i s/x$/edited/", Cancelled)).Output);
        Assert.Equal("edited", await RunAsync("get", "cm", "m", "-o", "jsonpath={.data.b}"));
        Assert.Equal("Edit cancelled, no changes made.\n", (await plane.EditAsync(kubectl, ["-n", _namespace, "edit", "cm", "m"], "true", Cancelled)).Error);

        Assert.Equal("configmap/m labeled\n", await RunAsync("label", "cm", "m", "x=y"));
        Assert.Contains("already has a value", await FailAsync("label", "cm", "m", "x=z"), StringComparison.Ordinal);
        Assert.Equal("configmap/m annotated\n", await RunAsync("annotate", "cm", "m", "note=b"));
        Assert.Equal("configmap/m\n", await RunAsync("get", "cm", "-l", "x in (y)", "-o", "name"));
        Assert.Contains("unknown field \"dat\"", await FailAsync("apply", "-f", await plane.FileAsync($"{_namespace}-typo.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: t}\ndat: {a: b}\n")), StringComparison.Ordinal);
        Assert.StartsWith("configmap \"m\" deleted", await RunAsync("delete", "cm", "m"), StringComparison.Ordinal);
    }

    /// <summary>Tainted, cordoned, drained against a budget and uncordoned.</summary>
    public async Task NodesAsync()
    {
        await EnterAsync();
        await RunAsync("apply", "-f", await plane.FileAsync($"{_namespace}-web.yaml", Web));
        await RunAsync("rollout", "status", "sts/web", "--timeout=100s");
        var node = await RunAsync("get", "pod", "web-0", "-o", "jsonpath={.spec.nodeName}");
        var other = node == "node-1" ? "node-2" : "node-1";
        await RunAsync("create", "pdb", "web", "--selector=app=web", "--max-unavailable=0");
        await plane.EventuallyAsync("the budget is counted", async () => await RunAsync("get", "pdb", "web", "-o", "jsonpath={.status.currentHealthy}") == "2", Cancelled);

        Assert.Equal($"node/{node} cordoned\n", await RunAsync("cordon", node));
        Assert.Matches($@"{node} +Ready,SchedulingDisabled +<none> +\d", await RunAsync("get", "nodes"));
        await plane.EventuallyAsync("the budget refuses the drain", async () =>
            (await FailAsync("drain", node, "--timeout=2s")).Contains("Cannot evict pod as it would violate the pod's disruption budget.", StringComparison.Ordinal), Cancelled);
        await RunAsync("delete", "pdb", "web");
        Assert.Contains($"node/{node} drained", await RunAsync("drain", node, "--timeout=100s"), StringComparison.Ordinal);
        await RunAsync("wait", "--for=create", "pod/web-0", "--timeout=100s");
        Assert.Equal("pod/web-0 condition met\n", await RunAsync("wait", "--for=condition=Ready", "pod/web-0", "--timeout=100s"));
        Assert.Equal(other, await RunAsync("get", "pod", "web-0", "-o", "jsonpath={.spec.nodeName}"));
        Assert.Equal($"node/{node} uncordoned\n", await RunAsync("uncordon", node));

        Assert.Equal($"node/{other} tainted\n", await RunAsync("taint", "node", other, "hardware=bad:NoExecute"));
        await plane.EventuallyAsync("evicted by the taint", async () => await RunAsync("get", "pod", "web-0", "--ignore-not-found", "-o", "jsonpath={.spec.nodeName}") == node, Cancelled);
        await ShowsAsync(@"(?s)Taints: +hardware=bad:NoExecute\n.*Allocatable:\n.*nvidia.com/gpu: +2\n", "describe", "node", other);
        Assert.Equal($"node/{other} untainted\n", await RunAsync("taint", "node", other, "hardware-"));
        await RunAsync("delete", "sts", "web");
    }

    /// <summary>Rights asked for; our own resource listed and explained.</summary>
    public async Task RightsAsync()
    {
        await EnterAsync();
        await RunAsync("apply", "-f", Repo.PathOf("crds"));
        await RunAsync("wait", "--for=condition=Established", "crd/opttrainingjobs.training.opt-operator.io", "--timeout=100s");
        Assert.Matches(@"opttrainingjobs +otj +training.opt-operator.io/v1alpha1 +true +OptTrainingJob\n", await RunAsync("api-resources"));
        Assert.Matches(@"(?s)KIND: +OptTrainingJob\n.*FIELD: learningRate <Object>\n.*DESCRIPTION:\n +\S.*FIELDS:\n.*  peak\t<number>", await RunAsync("explain", "otj.spec.training.learningRate"));
        Assert.Matches(@"^NAME +PHASE +STEP +LOSS +TOKENS/S +NODES +EPOCH +RESTARTS +CHECKPOINT +AGE\nopt-tiny ", await RunAsync("apply", "-f", Repo.PathOf("examples", "opt-tiny.yaml"), "-o", "name") is { Length: > 0 } ? await RunAsync("get", "otj") : "");
        Assert.Contains("is immutable", await FailAsync("patch", "otj", "opt-tiny", "--type=merge", "-p", """{"spec":{"model":{"heads":8}}}"""), StringComparison.Ordinal);
        await RunAsync("delete", "otj", "opt-tiny");

        Assert.Equal("yes\n", await RunAsync("auth", "can-i", "create", "pods"));
        await RunAsync("create", "serviceaccount", "reader");
        await RunAsync("create", "role", "reads", "--verb=get,list", "--resource=pods");
        await RunAsync("create", "rolebinding", "reads", "--role=reads", $"--serviceaccount={_namespace}:reader");
        var reader = $"--as=system:serviceaccount:{_namespace}:reader";
        Assert.Equal("yes\n", await RunAsync("auth", "can-i", "list", "pods", reader));
        Assert.Equal("no\n", (await plane.TryAsync(kubectl, Cancelled, "-n", _namespace, "auth", "can-i", "delete", "pods", reader)).Output);
        Assert.Equal("No resources found in " + _namespace + " namespace.\n", (await plane.TryAsync(kubectl, Cancelled, "-n", _namespace, "get", "pods", reader)).Error);
        Assert.Contains($"pods \"x\" is forbidden: User \"system:serviceaccount:{_namespace}:reader\" cannot delete resource \"pods\"", await FailAsync("delete", "pod", "x", reader), StringComparison.Ordinal);
        var token = (await RunAsync("create", "token", "reader")).Trim();
        Assert.Contains($"system:serviceaccount:{_namespace}:reader", await WhoamiAsync(token), StringComparison.Ordinal);
    }

    // The administrator's certificate would win over a token on the same connection, so this kubeconfig has only the token.
    private async Task<string> WhoamiAsync(string token)
    {
        var config = JsonNode.Parse(await RunAsync("config", "view", "--raw", "-o", "json"))!;
        config["users"]![0]!["user"] = new JsonObject { ["token"] = token };
        return await RunAsync("--kubeconfig", await plane.FileAsync($"{_namespace}-token.json", config.ToJsonString()), "auth", "whoami");
    }

    private Task<string> EnterAsync() => plane.RunAsync(kubectl, Cancelled, "create", "namespace", _namespace);

    private Task<string> RunAsync(params string[] arguments) => plane.RunAsync(kubectl, Cancelled, ["-n", _namespace, .. arguments]);

    // Events, and what a description counts, arrive a moment after the state they tell of.
    private async Task ShowsAsync([StringSyntax(StringSyntaxAttribute.Regex)] string pattern, params string[] arguments)
    {
        var shown = await RunAsync(arguments);
        for (var again = 0; again < 100 && !Regex.IsMatch(shown, pattern); again++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Cancelled);
            shown = await RunAsync(arguments);
        }

        Assert.Matches(pattern, shown);
    }

    private async Task<string> FailAsync(params string[] arguments)
    {
        var (code, output, error) = await plane.TryAsync(kubectl, Cancelled, ["-n", _namespace, .. arguments]);
        Assert.True(code != 0, $"kubectl {string.Join(' ', arguments)} succeeded: {output}");
        return error;
    }

    private static async Task<string> UntilLineAsync(Process process, string holds)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        deadline.CancelAfter(TimeSpan.FromSeconds(120));
        while (await process.StandardOutput.ReadLineAsync(deadline.Token) is { } line)
        {
            if (line.Contains(holds, StringComparison.Ordinal)) return line;
        }

        throw new InvalidOperationException($"the watch ended without a line with {holds}");
    }
}
