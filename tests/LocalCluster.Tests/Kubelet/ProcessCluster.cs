using System.Text;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.NodeLifecycle;
using Opt.LocalCluster.Kubelet;
using Opt.LocalCluster.Kubelet.Images;
using Opt.LocalCluster.Kubelet.Pods;
using Opt.LocalCluster.Kubelet.Processes;
using Opt.LocalCluster.Kubelet.Volumes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Tests.Kubelet;

/// <summary>A cluster whose pods are real shell processes, in real time with short periods.</summary>
internal sealed class ProcessCluster : IAsyncDisposable
{
    public static readonly Caller Tester = new("tester", "tests", ["system:masters", "system:authenticated"]);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly ClusterOptions _options;

    private ProcessCluster(Cluster cluster, ClusterOptions options, string data) => (Cluster, _options, Data) = (cluster, options, data);

    public Cluster Cluster { get; private set; }
    public string Data { get; }
    public IClusterApi Api => Cluster.Api;

    public static async Task<ProcessCluster> StartAsync(int nodes = 1, int accelerators = 0, string? data = null, double backoff = 0.02, bool persist = false, long logBytes = 10 << 20, int logFiles = 5)
    {
        data ??= Directory.CreateTempSubdirectory("opt-local-test-").FullName;
        var options = new ClusterOptions
        {
            ApiDataDirectory = persist ? Path.Combine(data, "api") : null,
            Nodes = new NodeOptions
            {
                LogLimits = new LogLimits(logBytes, logFiles), Count = nodes, AcceleratorsPerNode = accelerators, DataDirectory = data, Backoff = new Backoff(backoff), HeartbeatInterval = TimeSpan.FromMilliseconds(500),
                Images = new ImageStore([KeyValuePair.Create("sh", "/bin/sh")]), HostPaths = new HostPaths([KeyValuePair.Create("/var/lib/opt", Path.Combine(data, "host"))]),
            },
            NodeLifecycle = new NodeLifecycleOptions { MonitorPeriod = TimeSpan.FromMilliseconds(500), MonitorGracePeriod = TimeSpan.FromSeconds(2), PodGarbagePeriod = TimeSpan.FromMilliseconds(500) },
        };
        var test = new ProcessCluster(await Cluster.StartAsync(options, TimeProvider.System, CancellationToken.None), options, data);
        await test.CreateAsync(Kinds.Namespaces, """{"metadata":{"name":"t"}}""");
        return test;
    }

    /// <summary>Ends the cluster and starts another on the same directory.</summary>
    public async Task RestartAsync()
    {
        await Cluster.DisposeAsync();
        Cluster = await Cluster.StartAsync(_options, TimeProvider.System, CancellationToken.None);
    }

    /// <summary>A pod that runs a shell script; <paramref name="container"/> and <paramref name="spec"/> are further fields.</summary>
    public Task<JsonObject> RunAsync(string name, string script, string container = "{}", string spec = "{}")
    {
        var c = Make.Json("""{"name":"c","image":"sh"}""");
        c["args"] = new JsonArray("-c", script);
        foreach (var field in Make.Json(container)) c[field.Key] = field.Value?.DeepClone();
        var s = new JsonObject { ["containers"] = new JsonArray(c), ["automountServiceAccountToken"] = false, ["terminationGracePeriodSeconds"] = 5 };
        foreach (var field in Make.Json(spec)) s[field.Key] = field.Value?.DeepClone();
        return Api.CreateAsync(Kinds.Pods, "t", new JsonObject { ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "t", ["labels"] = new JsonObject { ["app"] = name } }, ["spec"] = s }, Tester, CancellationToken.None);
    }

    public Task<JsonObject> CreateAsync(ResourceId resource, string body)
    {
        var o = Make.Json(body);
        return Api.CreateAsync(resource, o.Namespace.Length > 0 ? o.Namespace : null, o, Tester, CancellationToken.None);
    }

    public Task<JsonObject> PatchAsync(ResourceId resource, string name, string patch) =>
        Api.PatchAsync(resource, "t", name, PatchKind.Merge, JsonNode.Parse(patch)!, Tester, CancellationToken.None);

    public Task DeleteAsync(string pod, string? options = null) =>
        Api.DeleteAsync(Kinds.Pods, "t", pod, options is null ? null : Make.Json(options), Tester, CancellationToken.None);

    public async Task<JsonObject?> FindAsync(string pod)
    {
        try
        {
            return await Api.GetAsync(Kinds.Pods, "t", pod, CancellationToken.None);
        }
        catch (ApiException e) when (e.Code == 404)
        {
            return null;
        }
    }

    public async Task<JsonObject> UntilAsync(string pod, Func<JsonObject, bool> holds, string what)
    {
        JsonObject? last = null;
        await EventuallyAsync(async () => (last = await FindAsync(pod)) is not null && holds(last), () => $"{what}; the pod is {last?["status"]?.ToJsonString()}");
        return last!;
    }

    public Task<JsonObject> UntilRunningAsync(string pod) => UntilAsync(pod, p => p.IsRunningAndReady, "running and ready");

    public Task UntilGoneAsync(string pod) => EventuallyAsync(async () => await FindAsync(pod) is null, () => $"{pod} gone");

    public static async Task EventuallyAsync(Func<Task<bool>> holds, Func<string> what)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            if (TimeProvider.System.GetElapsedTime(started) > Patience) throw new TimeoutException($"not within {Patience.TotalSeconds} s: {what()}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, CancellationToken.None);
        }
    }

    public async Task<string> LogAsync(string pod, bool previous = false, string container = "c", PodLogOptions? options = null)
    {
        var text = new StringBuilder();
        var o = await Api.GetAsync(Kinds.Pods, "t", pod, CancellationToken.None);
        await foreach (var piece in Cluster.Nodes!.ReadAsync(o, container, options ?? new PodLogOptions { Previous = previous }, CancellationToken.None)) text.Append(Encoding.UTF8.GetString(piece.Span));
        return text.ToString();
    }

    public async Task<string> UntilLogAsync(string pod, string holds)
    {
        var text = "";
        await EventuallyAsync(async () =>
        {
            try
            {
                text = await LogAsync(pod);
            }
            catch (ApiException e) when (e.Code == 400)
            {
                text = e.Message;   // it has not started yet
            }

            return text.Contains(holds, StringComparison.Ordinal);
        }, () => $"'{holds}' in the log of {pod}, which is: {text}\nevents: {string.Join("\n", EventsAsync(pod).Result)}");
        return text;
    }

    public async Task<string[]> EventsAsync(string pod)
    {
        var events = await Api.ListAsync(Kinds.Events, "t", new ListQuery(FieldSelector: $"involvedObject.name={pod}"), CancellationToken.None);
        return [.. events.Objects("items").Select(e => $"{e.Text("reason")}: {e.Text("message")}")];
    }

    public static JsonObject Container(JsonObject pod, string field = "containerStatuses") => pod.Objects("status", field).FirstOrDefault() ?? [];

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        Directory.Delete(Data, recursive: true);
    }
}
