// Measures the client runtime and the embedded control plane. Parts: stream (events through informer and controller, from memory), list (list and watch
// of many pods over HTTPS beside curl, requests a second, watches), job (apply to Running on simulated nodes). Without arguments: all of these.
// By name only: scale-nodes [N] (one job of 2,048 nodes, 64 of them lost at once), scale-jobs [N] (100 jobs of 124, a
// thousand reconciles a job).
// Prints one JSON line a figure: {"name", "unit", "median", "min", "max", "samples"}.
using System.Globalization;
using Opt.Bench.Kubernetes;
using Opt.Kubernetes;

if (args is ["serve", var file]) return await ApiServerProcess.ServeAsync(file);
var parts = args.Where(a => !int.TryParse(a, out _)).ToArray();
var pods = args.Select(a => int.TryParse(a, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : 0).DefaultIfEmpty().Max();
if (pods == 0) pods = 10_000;
if (Wants("stream")) await CannedStream.MeasureAsync(pods, events: 5 * pods);
if (Wants("list")) await OverHttpsAsync();
if (parts.Contains("scale-nodes")) await Scale.MeasureAsync(jobs: 1, nodes: args.Length > 1 ? pods : 2048, step: TimeSpan.FromSeconds(1), losses: 64, reconciles: 0);
if (parts.Contains("scale-jobs") && (args.Length > 1 ? pods : 100) is var jobs) await Scale.MeasureAsync(jobs, nodes: 124, step: TimeSpan.FromSeconds(20), losses: 0, reconciles: 1000 * jobs);
if (Wants("job")) await JobStart.MeasureAsync(nodes: 124, rounds: 4);
return 0;

bool Wants(string part) => parts.Length == 0 || parts.Contains(part);

async Task OverHttpsAsync()
{
    using var server = await ApiServerProcess.StartAsync();
    var configuration = KubernetesClientConfiguration.BuildConfigFromConfigFile([server.Kubeconfig]);
    using var client = new KubernetesClient(configuration, new() { QueriesPerSecond = 100_000, Burst = 100_000, RequestTimeout = TimeSpan.FromMinutes(2), AttemptTimeout = TimeSpan.FromMinutes(1) });
    var resource = client.Resource(Resources.Pods);
    await Requests.CreateAsync(resource, pods);
    await ListAndWatch.MeasureAsync(configuration, resource, pods);
    await Requests.MeasureAsync(resource, pods);
    await ListAndWatch.MeasureWritesAsync(resource, pods);
    await FanOut.MeasureAsync(client, watchers: 100, writes: 500, rate: 100);
    await FanOut.MeasureAsync(client, watchers: 100, writes: 1000, rate: 0);
}
