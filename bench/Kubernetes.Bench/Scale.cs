using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Simulation;
using Opt.Testing;

namespace Opt.Bench.Kubernetes;

/// <summary>
/// What large jobs, and many, cost the shipped operator: a process of its own over HTTPS; control plane, simulated nodes and agents (over real HTTP) in
/// this one, on the same cores.
/// </summary>
internal static class Scale
{
    private static readonly ResourceId Jobs = new(OptTrainingJob.Group, OptTrainingJob.Version, OptTrainingJob.Plural);
    private static readonly ResourceId Namespaces = new("", "v1", "namespaces");
    private static readonly Caller User = new("bench", "kubectl", ["system:masters", "system:authenticated"]);
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(60);

    /// <param name="step">How long a training step takes; OPT-175B's took 20 s.</param>
    /// <param name="losses">Machines killed at once after the quiet minute.</param>
    /// <param name="reconciles">Passes to ask for after it, as fast as they go.</param>
    public static async Task MeasureAsync(int jobs, int nodes, TimeSpan step, int losses, int reconciles)
    {
        var what = $"{jobs} x {nodes} nodes";
        await using var agents = await AgentEndpoints.StartAsync(step);
        await using var cluster = await Cluster.StartAsync(new() { Http = new() }, TimeProvider.System, default);
        await using var machines = await SimulatedNodes.StartAsync(cluster, new() { Count = jobs * nodes + losses, Address = AgentEndpoints.Address, Script = _ => agents.Script(), HeartbeatInterval = Heartbeats(jobs * nodes) }, default);
        await JobStart.DefineAsync(cluster);
        await cluster.IdleAsync();
        var port = FreePort();
        using var @operator = JobStart.StartOperator(cluster, "--metrics-port", port.ToString(CultureInfo.InvariantCulture), "--bind-address", "127.0.0.1");
        try
        {
            var start = Figures.Now();
            // Some two thousand machines at a time: while a job starts all of its agents are asked every second.
            var together = Math.Max(1, 2048 / nodes);
            for (var job = 0; job < jobs; job++)
            {
                await cluster.Api.CreateAsync(Namespaces, null, new JsonObject { ["metadata"] = new JsonObject { ["name"] = Team(job) } }, User, default);
                await cluster.Api.CreateAsync(Jobs, Team(job), Yaml.Parse(Manifest(job, nodes))[0].AsObject(), User, default);
                if ((job + 1) % together == 0 || job + 1 == jobs) await AllAsync(cluster, job + 1, s => s.Phase == JobPhase.Running && s.Nodes.Ready == nodes, minutes: 8);
            }

            Figures.Print(together < jobs ? $"{what}: all jobs running, {together} applied at a time" : $"{what}: apply to phase Running", "s", Figures.Since(start));
            await SteadyAsync(what, @operator, agents, port);
            if (reconciles > 0) await PressAsync(what, cluster, @operator, jobs, port, reconciles);
            if (losses > 0) await LoseAsync(what, cluster, machines, nodes, losses);
        }
        finally
        {
            @operator.Kill();
            await @operator.WaitForExitAsync();
        }
    }

    /// <summary>Leases are renewed in this process too, one after the other: a thousand a second would take it up.</summary>
    private static TimeSpan Heartbeats(int nodes) => TimeSpan.FromSeconds(nodes > 4096 ? 25 : 10);

    /// <summary>A minute in which nothing happens but steps.</summary>
    private static async Task SteadyAsync(string what, Process @operator, AgentEndpoints agents, int port)
    {
        using var http = new HttpClient();
        var (cpu, before, asked, start) = (Cpu(@operator), await MetricsAsync(http, port), agents.Seen, Figures.Now());
        await Task.Delay(Watched, TimeProvider.System);
        var (seconds, after) = (Figures.Since(start), await MetricsAsync(http, port));
        @operator.Refresh();
        Figures.Print($"{what}: operator's CPU while training", "cores", (Cpu(@operator) - cpu) / seconds);
        Figures.Print($"{what}: operator's resident memory", "MiB", @operator.WorkingSet64 / 1048576.0);
        Figures.Print($"{what}: requests to the API server", "a minute", Sum(after, "client_request_duration", "_count") * 60 / seconds - Sum(before, "client_request_duration", "_count") * 60 / seconds);
        Figures.Print($"{what}: polls of agents", "a second", (agents.Seen.Requests - asked.Requests) / seconds);
        Figures.Print($"{what}: connections to agents", "connections", agents.Seen.Connections);
        Figures.Print($"{what}: reconciles", "a second", (Sum(after, "reconcile_duration", "_count") - Sum(before, "reconcile_duration", "_count")) / seconds);
        Percentiles($"{what}: a reconcile while training", before, after);
    }

    /// <summary>All jobs are touched again and again, until that many passes were made or 25 minutes are over: how long one takes when the operator has no rest.</summary>
    private static async Task PressAsync(string what, Cluster cluster, Process @operator, int jobs, int port, int reconciles)
    {
        using var http = new HttpClient();
        var (cpu, before, start, after) = (Cpu(@operator), await MetricsAsync(http, port), Figures.Now(), Array.Empty<string>());
        for (var turn = 0; Passes(after) - Passes(before) < reconciles && Figures.Since(start) < 1500; turn++)
        {
            var touch = new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { ["bench.example/turn"] = $"{turn}" } } };
            for (var job = 0; job < jobs; job++) await cluster.Api.PatchAsync(Jobs, Team(job), "opt", PatchKind.Merge, touch.DeepClone().AsObject(), User, default);
            if (turn % 10 == 9) after = await MetricsAsync(http, port);
        }

        var seconds = Figures.Since(start);
        Figures.Print($"{what}: reconciles when all jobs are touched without end", "a second", (Passes(after) - Passes(before)) / seconds);
        Figures.Print($"{what}: operator's CPU then", "cores", (Cpu(@operator) - cpu) / seconds);
        Percentiles($"{what}: one of {Passes(after) - Passes(before):0} such reconciles", before, after);
    }

    private static double Passes(string[] metrics) => Sum(metrics, "reconcile_duration", "_count", "controller=\"jobs\"");

    /// <summary>From the histogram: exact to its bucket, linear within.</summary>
    private static void Percentiles(string name, string[] before, string[] after)
    {
        var buckets = after.Where(l => IsBucket(l)).Select(Bound).Distinct().Order().Select(b => (Bound: b, Count: In(after, b) - In(before, b))).ToArray();
        foreach (var share in new[] { 0.5, 0.99 })
        {
            var rank = share * buckets[^1].Count;
            var at = Array.FindIndex(buckets, b => b.Count >= rank);
            var (low, under) = at == 0 ? (0, 0) : (buckets[at - 1].Bound, buckets[at - 1].Count);
            var seconds = double.IsInfinity(buckets[at].Bound) ? low : low + (buckets[at].Bound - low) * (rank - under) / (buckets[at].Count - under);
            Figures.Print($"{name}, {100 * share:0} in 100 below", "ms", 1000 * seconds);
        }

        static bool IsBucket(string line) => line.Contains("reconcile_duration", StringComparison.Ordinal) && line.Contains("_bucket", StringComparison.Ordinal) && line.Contains("controller=\"jobs\"", StringComparison.Ordinal);
        static double Bound(string line) => line.Split("le=\"")[1].Split('"')[0] is var le && le == "+Inf" ? double.PositiveInfinity : double.Parse(le, CultureInfo.InvariantCulture);
        static double In(string[] metrics, double bound) => metrics.Where(l => IsBucket(l) && Bound(l) == bound).Sum(Value);
    }

    /// <summary>Many machines at once: until all members are placed anew and steps advance.</summary>
    private static async Task LoseAsync(string what, Cluster cluster, SimulatedNodes machines, int nodes, int losses)
    {
        var before = (await StatusesAsync(cluster))[0];
        foreach (var name in machines.Names.Order(StringComparer.Ordinal).Take(losses).ToArray()) machines.Kill(name);
        var start = Figures.Now();
        await AllAsync(cluster, 1, s => s.Epoch > before.Epoch, minutes: 5);
        Figures.Print($"{what}: {losses} machines killed at once, to the next plan", "s", Figures.Since(start));
        await AllAsync(cluster, 1, s => s.Phase == JobPhase.Running && s.Epoch > before.Epoch && s.Nodes.Ready == nodes, minutes: 5);
        Figures.Print($"{what}: {losses} machines killed at once, to phase Running", "s", Figures.Since(start));
    }

    private static async Task AllAsync(Cluster cluster, int jobs, Func<OptTrainingJobStatus, bool> holds, double minutes)
    {
        var start = Figures.Now();
        while (true)
        {
            var statuses = await StatusesAsync(cluster);
            if (statuses.Count == jobs && statuses.All(holds)) return;
            if (Figures.Since(start) > 60 * minutes) throw new TimeoutException($"{statuses.Count(holds)} of {jobs} jobs are there; one says {JsonSerializer.Serialize(statuses.FirstOrDefault(s => !holds(s)), SpecJson.Default.OptTrainingJobStatus)}; the operator said:\n{string.Join('\n', JobStart.Said)}");
            await Task.Delay(TimeSpan.FromMilliseconds(Math.Max(200, 20 * jobs)), TimeProvider.System);
        }
    }

    private static async Task<IReadOnlyList<OptTrainingJobStatus>> StatusesAsync(Cluster cluster) =>
        [.. (await cluster.Api.ListAsync(Jobs, null, ListQuery.All, default))["items"]!.AsArray().Select(j => j!["status"]?.Deserialize(SpecJson.Default.OptTrainingJobStatus)).OfType<OptTrainingJobStatus>()];

    private static async Task<string[]> MetricsAsync(HttpClient http, int port) => (await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"))).Split('\n');

    private static double Sum(string[] metrics, string name, string suffix, string label = "") =>
        metrics.Where(l => !l.StartsWith('#') && l.Contains(name, StringComparison.Ordinal) && l.Contains(label, StringComparison.Ordinal) && l.Split('{')[0].EndsWith(suffix, StringComparison.Ordinal)).Sum(Value);

    private static double Value(string line) => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);

    private static double Cpu(Process process)
    {
        process.Refresh();
        return process.TotalProcessorTime.TotalSeconds;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Every job has a namespace of its own, as jobs of many teams have.</summary>
    private static string Team(int job) => $"team-{job}";

    private static string Manifest(int job, int nodes) => $$"""
        apiVersion: training.opt-operator.io/v1alpha1
        kind: OptTrainingJob
        metadata: {name: opt, namespace: {{Team(job)}} }
        spec:
          model: {layers: 2, hiddenSize: 64, heads: 8, maxPositions: 64}
          topology: {nodes: {{nodes}}, acceleratorsPerNode: 8}
          pod: {image: "opt-trainer:1"}
          data: {train: [{path: corpus}]}
          training: {batchTokens: {{64 * 8 * nodes}}, totalTokens: {{64L * 8 * nodes * 100_000}}, precision: fp32, learningRate: {peak: 1.0e-3} }
          checkpoint: {store: {directory: {path: /checkpoints} } }
          failurePolicy: {replaceNode: {limit: 200, window: 24h} }
        """;
}
