using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.Simulation;
using Opt.Testing;

namespace Opt.Bench.Kubernetes;

/// <summary>
/// From applying a job to its pods being ready and the job Running: the shipped operator as a process of its own, over HTTPS; control plane, simulated
/// nodes and agents (over real HTTP) in this process.
/// </summary>
internal static class JobStart
{
    private static readonly ResourceId Jobs = new(OptTrainingJob.Group, OptTrainingJob.Version, OptTrainingJob.Plural);
    private static readonly Caller User = new("bench", "kubectl", ["system:masters", "system:authenticated"]);

    public static async Task MeasureAsync(int nodes, int rounds)
    {
        await using var agents = await AgentEndpoints.StartAsync(step: TimeSpan.FromMilliseconds(100));
        await using var cluster = await Cluster.StartAsync(new() { Http = new() }, TimeProvider.System, default);
        await using var machines = await SimulatedNodes.StartAsync(cluster, new() { Count = nodes, Address = AgentEndpoints.Address, Script = _ => agents.Script() }, default);
        await DefineAsync(cluster);
        await cluster.IdleAsync();
        using var @operator = StartOperator(cluster, "--status-interval", "1s");
        try
        {
            await RoundsAsync(cluster, agents, nodes, rounds);
        }
        finally
        {
            @operator.Kill();
            await @operator.WaitForExitAsync();
        }
    }

    private static async Task RoundsAsync(Cluster cluster, AgentEndpoints agents, int nodes, int rounds)
    {
        var (ready, running, writes) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < rounds; round++)
        {
            var before = await VersionAsync(cluster);
            var start = Figures.Now();
            await cluster.Api.CreateAsync(Jobs, "default", Yaml.Parse(Manifest(nodes))[0].AsObject(), User, default);
            ready.Add(await PodsReadyAsync(cluster, start, nodes));
            running.Add(await UntilAsync(cluster, start, s => s.Phase == JobPhase.Running && s.Nodes.Ready == nodes));
            writes.Add(await VersionAsync(cluster) - before);
            await RemoveAsync(cluster);
            agents.Reset();
        }

        // The first job also compiles the operator's code.
        Figures.Print($"job start: apply to {nodes} ready pods, the operator's first job", "s", ready[0]);
        Figures.Print($"job start: apply to {nodes} ready pods", "s", ready[1..]);
        Figures.Print($"job start: apply to phase Running on {nodes} nodes, the operator's first job", "s", running[0]);
        Figures.Print($"job start: apply to phase Running on {nodes} nodes", "s", running[1..]);
        Figures.Print("job start: writes in that time, heartbeats included", "writes", writes);
    }

    /// <summary>The operator's two resources.</summary>
    internal static async Task DefineAsync(Cluster cluster)
    {
        foreach (var file in (string[])["opttrainingjobs.yaml", "optcheckpoints.yaml"])
        {
            var definition = Yaml.Parse(await File.ReadAllTextAsync(Repo.PathOf("crds", file)))[0].AsObject();
            await cluster.Api.CreateAsync(new("apiextensions.k8s.io", "v1", "customresourcedefinitions"), null, definition, User, default);
        }
    }

    internal static Process StartOperator(Cluster cluster, params string[] more)
    {
        var kubeconfig = Path.Combine(Directory.CreateTempSubdirectory("opt-bench-").FullName, "config");
        File.WriteAllText(kubeconfig, cluster.AdminKubeconfig());
        var program = Path.Combine(AppContext.BaseDirectory, "opt-operator.dll");
        var start = new ProcessStartInfo("dotnet", [program, "run", "--kubeconfig", kubeconfig, .. more]) { RedirectStandardOutput = true, RedirectStandardError = true };
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => Note(line.Data);
        process.ErrorDataReceived += (_, line) => Note(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    // The last words of the operator, for when something goes wrong.
    internal static readonly Queue<string> Said = new();

    private static void Note(string? line)
    {
        if (line is null) return;
        lock (Said)
        {
            Said.Enqueue(line);
            if (Said.Count > 20) Said.Dequeue();
        }
    }

    private static async Task<double> UntilAsync(Cluster cluster, long start, Func<OptTrainingJobStatus, bool> holds)
    {
        while (true)
        {
            var job = await cluster.Api.GetAsync(Jobs, "default", "opt", default);
            var status = job["status"]?.Deserialize(SpecJson.Default.OptTrainingJobStatus);
            if (status is not null && holds(status)) return Figures.Since(start);
            if (Figures.Since(start) > 120) throw new TimeoutException($"The status is {job["status"]?.ToJsonString()}; the operator said:\n{string.Join('\n', Said)}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }

    private static async Task<double> PodsReadyAsync(Cluster cluster, long start, int nodes)
    {
        while (true)
        {
            var set = (await cluster.Api.ListAsync(ResourceId.StatefulSets, "default", ListQuery.All, default))["items"]!.AsArray().FirstOrDefault() as JsonObject;
            if (set?.At("status", "readyReplicas").Long() == nodes) return Figures.Since(start);
            if (Figures.Since(start) > 120) throw new TimeoutException($"The set's status is {set?["status"]?.ToJsonString()}; the operator said:\n{string.Join('\n', Said)}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }

    private static async Task RemoveAsync(Cluster cluster)
    {
        await cluster.Api.DeleteAsync(Jobs, "default", "opt", null, User, default);
        var start = Figures.Now();
        while ((await cluster.Api.ListAsync(ResourceId.Pods, "default", ListQuery.All, default))["items"]!.AsArray().Count > 0 || (await cluster.Api.ListAsync(Jobs, "default", ListQuery.All, default))["items"]!.AsArray().Count > 0)
        {
            if (Figures.Since(start) > 120) throw new TimeoutException("The job's pods do not go away.");
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
    }

    private static async Task<double> VersionAsync(Cluster cluster) =>
        double.Parse((await cluster.Api.ListAsync(Jobs, "default", ListQuery.All, default)).Str("metadata", "resourceVersion")!, CultureInfo.InvariantCulture);

    private static string Manifest(int nodes) => $$"""
        apiVersion: training.opt-operator.io/v1alpha1
        kind: OptTrainingJob
        metadata: {name: opt, namespace: default}
        spec:
          model: {layers: 2, hiddenSize: 64, heads: 8, maxPositions: 64}
          topology: {nodes: {{nodes}}, acceleratorsPerNode: 8}
          pod: {image: "opt-trainer:1"}
          data: {train: [{path: corpus}]}
          training: {batchTokens: {{64 * 8 * nodes}}, totalTokens: {{64L * 8 * nodes * 100_000}}, precision: fp32, learningRate: {peak: 1.0e-3} }
          checkpoint: {store: {directory: {path: /checkpoints} } }
        """;
}
