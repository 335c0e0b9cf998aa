using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.KubectlOpt.Cli;
using Opt.KubectlOpt.Views;

namespace Opt.KubectlOpt.Cluster;

/// <summary>What the plugin reads and writes in a cluster. Objects stay JSON, so that what a newer operator writes is passed on.</summary>
internal sealed class JobCluster(KubernetesClient client, string? @namespace) : IDisposable
{
    public const string QuarantinedLabel = $"{OptTrainingJob.Group}/quarantined";
    private const string JobLabel = $"{OptTrainingJob.Group}/job";
    private static readonly ResourceDefinition<JsonObject> Definition = Define(OptTrainingJob.Group, OptTrainingJob.Version, OptTrainingJob.KindName, OptTrainingJob.Plural, namespaced: true);
    private readonly ResourceClient<JsonObject> _jobs = client.Resource(Definition);

    public string Namespace => @namespace ?? client.Namespace;

    /// <summary>The job of that name, or the only one there is.</summary>
    /// <exception cref="CommandException">There is none, or a name is needed.</exception>
    public async Task<JsonObject> GetAsync(string? name, CancellationToken ct)
    {
        if (name is not null) return await _jobs.GetAsync(new(Namespace, name), ct);
        var all = (await ListAsync(allNamespaces: false, ct)).ToArray();
        return all switch
        {
            [var only] => only,
            [] => throw new CommandException($"No resources found in {Namespace} namespace."),
            _ => throw new CommandException($"{Namespace} holds {all.Length} jobs; name one of {string.Join(", ", all.Select(j => j.Name()))}", ExitCodes.Usage),
        };
    }

    public async Task<IReadOnlyList<JsonObject>> ListAsync(bool allNamespaces, CancellationToken ct) =>
        [.. (await _jobs.ListAsync(allNamespaces ? null : Namespace, null, ct)).Items.OrderBy(j => j.Text("metadata", "namespace"), StringComparer.Ordinal).ThenBy(j => j.Name(), StringComparer.Ordinal)];

    /// <summary>The objects after each change, starting with those of now, until cancelled. A watch that ends is begun anew.</summary>
    public async IAsyncEnumerable<IReadOnlyList<JsonObject>> FollowAsync(string? name, bool allNamespaces, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        while (true)
        {
            var list = await _jobs.ListAsync(allNamespaces ? null : Namespace, name is null ? null : new() { FieldSelector = $"metadata.name={name}" }, ct);
            var now = list.Items.ToDictionary(Key);
            yield return Sorted(now);
            await using var events = _jobs.WatchAsync(allNamespaces ? null : Namespace, new() { ResourceVersion = list.Metadata.ResourceVersion, FieldSelector = name is null ? null : $"metadata.name={name}" }, ct).GetAsyncEnumerator(ct);
            while (await NextAsync(events))
            {
                if (events.Current.Object is not { } changed) continue;
                if (events.Current.Type == WatchEventType.Deleted) now.Remove(Key(changed));
                else now[Key(changed)] = changed;
                yield return Sorted(now);
            }
        }
    }

    /// <summary>Run plans of the job, oldest first.</summary>
    public async Task<IReadOnlyList<JsonObject>> PlansAsync(JsonObject job, CancellationToken ct)
    {
        return [.. (await MapsAsync(job, $"!{LogbookPages.Label}", ct)).Select(PlanViews.Read).OfType<JsonObject>().Where(p => p.Text("jobUid") == job.Text("metadata", "uid")).OrderBy(p => p.Number("epoch")).ThenBy(p => p.Number("revision"))];
    }

    /// <summary>The whole logbook: the operator's pages, and the status where it is ahead of them.</summary>
    public async Task<Logbook> LogbookAsync(JsonObject job, CancellationToken ct)
    {
        try
        {
            return Logbook.Of(job, await MapsAsync(job, LogbookPages.Label, ct));
        }
        catch (KubernetesException e) when (e.Code == 403)
        {
            return Logbook.Of(job, pages: null);
        }
    }

    /// <summary>Checkpoint objects of the job by log entry; empty where the cluster has no such definition or the user may not list them.</summary>
    public async Task<IReadOnlyList<JsonObject>> CheckpointsAsync(JsonObject job, CancellationToken ct)
    {
        try
        {
            var list = await client.Resource(Define(OptTrainingJob.Group, OptTrainingJob.Version, OptCheckpoint.KindName, OptCheckpoint.Plural, namespaced: true)).ListAsync(job.Text("metadata", "namespace"), new() { LabelSelector = $"{JobLabel}={job.Name()}" }, ct);
            return [.. list.Items.Where(c => c["status"] is not null).OrderBy(c => c.Number("status", "entry"))];
        }
        catch (KubernetesException e) when (e.Code is 403 or 404)
        {
            return [];
        }
    }

    public async Task<IReadOnlyList<JsonObject>> PodsAsync(JsonObject job, CancellationToken ct) =>
        [.. (await client.Resource(Define("", "v1", "Pod", "pods", namespaced: true)).ListAsync(job.Text("metadata", "namespace"), new() { LabelSelector = $"{JobLabel}={job.Name()}" }, ct)).Items];

    /// <summary>Nodes by name; empty when the user may not list them.</summary>
    public async Task<IReadOnlyDictionary<string, JsonObject>> NodesAsync(CancellationToken ct)
    {
        try
        {
            return (await Nodes.ListAsync(null, null, ct)).Items.ToDictionary(n => n.Name());
        }
        catch (KubernetesException e) when (e.Code == 403)
        {
            return new Dictionary<string, JsonObject>();
        }
    }

    public Task<JsonObject> PatchAsync(JsonObject job, JsonObject patch, bool dryRun, CancellationToken ct) =>
        _jobs.PatchAsync(new(job.Text("metadata", "namespace"), job.Name()), Patch.Merge(patch), ct, dryRun ? new WriteOptions { DryRun = true } : null);

    public Task<JsonObject> PatchNodeAsync(string node, JsonObject patch, bool dryRun, CancellationToken ct) =>
        Nodes.PatchAsync(ObjectKey.Cluster(node), Patch.Merge(patch), ct, dryRun ? new WriteOptions { DryRun = true } : null);

    public Task<JsonObject> GetNodeAsync(string node, CancellationToken ct) => Nodes.GetAsync(ObjectKey.Cluster(node), ct);

    public void Dispose() => client.Dispose();

    private async Task<IReadOnlyList<JsonObject>> MapsAsync(JsonObject job, string label, CancellationToken ct) =>
        (await client.Resource(Define("", "v1", "ConfigMap", "configmaps", namespaced: true)).ListAsync(job.Text("metadata", "namespace"), new() { LabelSelector = $"{JobLabel}={job.Name()},{label}" }, ct)).Items;

    private ResourceClient<JsonObject> Nodes => client.Resource(Define("", "v1", "Node", "nodes", namespaced: false));

    private static async Task<bool> NextAsync(IAsyncEnumerator<WatchEvent<JsonObject>> events)
    {
        try
        {
            return await events.MoveNextAsync();
        }
        catch (KubernetesException e) when (e.Code is 0 or 410 or >= 500)
        {
            return false;   // the watch broke or is too old: list again, which says so if the server is gone
        }
    }

    private static (string?, string) Key(JsonObject job) => (job.Text("metadata", "namespace"), job.Name());

    private static IReadOnlyList<JsonObject> Sorted(Dictionary<(string?, string), JsonObject> jobs) => [.. jobs.OrderBy(j => j.Key.Item1, StringComparer.Ordinal).ThenBy(j => j.Key.Item2, StringComparer.Ordinal).Select(j => j.Value)];

    private static ResourceDefinition<JsonObject> Define(string group, string version, string kind, string plural, bool namespaced) =>
        new(group, version, kind, plural, namespaced, PluginJson.Default.JsonObject, o => o["metadata"]?.Deserialize(KubernetesJson.Default.V1ObjectMeta) ?? new());
}

/// <summary>Serializer of free-form objects.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(JsonObject))]
[JsonSerializable(typeof(JsonArray))]
internal sealed partial class PluginJson : JsonSerializerContext;
