using Microsoft.Extensions.Logging;
using Opt.Kubernetes;
using Opt.Operator.Checkpoints;
using Opt.Operator.Jobs;
using Opt.Operator.Rendering;

namespace Opt.Operator.Cluster;

/// <summary>The local copies of everything decisions are made from.</summary>
internal sealed class OperatorInformers : IDisposable
{
    private const string QuarantinedIndex = "quarantined", JobIndex = "job";
    private readonly bool _withNodes;

    /// <param name="namespace">Null for all namespaces.</param>
    /// <param name="withNodes">Whether nodes may be read: not in a single-namespace install.</param>
    public OperatorInformers(KubernetesClient client, string? @namespace, bool withNodes, ILoggerFactory logs)
    {
        _withNodes = withNodes;
        Jobs = Make(JobObject.Definition, job => job with { Metadata = Slim(job.Metadata) }, selector: null);
        StatefulSets = Make(Resources.StatefulSets, set => set with { Metadata = Slim(set.Metadata) });
        Pods = Make(Resources.Pods, pod => pod with { Metadata = Slim(pod.Metadata) }, more: [Indexes.ByNode()]);
        Plans = Make(Resources.ConfigMaps, map => map with { Metadata = Slim(map.Metadata) }, Names.EpochLabel);
        Services = Make(Resources.Services, service => service with { Metadata = Slim(service.Metadata) });
        DisruptionBudgets = Make(Resources.PodDisruptionBudgets, budget => budget with { Metadata = Slim(budget.Metadata) });
        Checkpoints = Make(CheckpointObject.Definition, item => item with { Metadata = Slim(item.Metadata) });
        Nodes = new(client.Resource(Resources.Nodes), new()
        {
            Transform = node => node with { Metadata = Slim(node.Metadata) },
            Indexes = new Dictionary<string, Func<V1Node, IEnumerable<string>>> { [QuarantinedIndex] = static node => node.Metadata.Labels?.ContainsKey(Names.QuarantinedLabel) == true ? [""] : [] },
        }, logs.CreateLogger<Informer<V1Node>>());

        Informer<T> Make<T>(ResourceDefinition<T> definition, Func<T, T> slim, string? selector = Names.JobLabel, params KeyValuePair<string, Func<T, IEnumerable<string>>>[] more) where T : class => new(client.Resource(definition), new()
        {
            Namespace = @namespace,
            LabelSelector = selector,
            Transform = slim,
            Indexes = selector is null ? [] : new Dictionary<string, Func<T, IEnumerable<string>>>([ByJob(definition), .. more]),
        }, logs.CreateLogger<Informer<T>>());
    }

    public Informer<JobObject> Jobs { get; }
    public Informer<V1StatefulSet> StatefulSets { get; }
    public Informer<V1Pod> Pods { get; }
    public Informer<V1ConfigMap> Plans { get; }
    public Informer<V1Service> Services { get; }
    public Informer<V1PodDisruptionBudget> DisruptionBudgets { get; }
    public Informer<V1Node> Nodes { get; }

    /// <summary>Nothing waits for it: a cluster may lack the definition, since helm upgrades no definitions.</summary>
    public Informer<CheckpointObject> Checkpoints { get; }

    public bool HaveSynced => Jobs.HasSynced && StatefulSets.HasSynced && Pods.HasSynced && Plans.HasSynced && Services.HasSynced && DisruptionBudgets.HasSynced && (!_withNodes || Nodes.HasSynced);

    /// <summary>The objects of one job. Many teams may have a job of this name, so the namespace is part of what they are filed under.</summary>
    public static IEnumerable<T> OfJob<T>(Informer<T> informer, string? @namespace, string name) where T : class => informer.Snapshot.By(JobIndex, Filed(@namespace, name));

    /// <summary>The nodes that carry the quarantine label, whoever set it.</summary>
    public static IEnumerable<V1Node> Quarantined(InformerSnapshot<V1Node> nodes) => nodes.By(QuarantinedIndex, "");

    /// <summary>How many nodes there are, and which of them are put aside.</summary>
    public (int Total, IReadOnlyCollection<string> Quarantined) CountNodes()
    {
        var nodes = Nodes.Snapshot;
        return (nodes.Count, Quarantined(nodes).Select(n => n.Metadata.Name!).ToHashSet(StringComparer.Ordinal));
    }

    /// <summary>Lists and watches until cancelled.</summary>
    public Task RunAsync(CancellationToken ct) => Task.WhenAll(
        Jobs.RunAsync(ct), StatefulSets.RunAsync(ct), Pods.RunAsync(ct), Plans.RunAsync(ct), Services.RunAsync(ct), DisruptionBudgets.RunAsync(ct), Checkpoints.RunAsync(ct), _withNodes ? Nodes.RunAsync(ct) : Task.CompletedTask);

    /// <summary>Wires every informer that says something about jobs to the controller of jobs.</summary>
    public Controller<JobObject> Feed(Controller<JobObject> controller)
    {
        controller.Watch(StatefulSets, Labelled<V1StatefulSet>(Resources.StatefulSets))
            .Watch(Pods, Labelled<V1Pod>(Resources.Pods))
            .Watch(Plans, Labelled<V1ConfigMap>(Resources.ConfigMaps))
            .Watch(Services, Labelled<V1Service>(Resources.Services))
            .Watch(DisruptionBudgets, Labelled<V1PodDisruptionBudget>(Resources.PodDisruptionBudgets))
            .Watch(Checkpoints, OnCheckpoint, awaited: false);
        return _withNodes ? controller.Watch(Nodes, OnNode) : controller;
    }

    public void Dispose()
    {
        Jobs.Dispose();
        StatefulSets.Dispose();
        Pods.Dispose();
        Plans.Dispose();
        Services.Dispose();
        DisruptionBudgets.Dispose();
        Nodes.Dispose();
        Checkpoints.Dispose();
    }

    private static Func<InformerChange<T>, IEnumerable<ObjectKey>> Labelled<T>(ResourceDefinition<T> definition) where T : class => change =>
    {
        var meta = definition.MetadataOf(change.New ?? change.Old!);
        return meta.Labels?.GetValueOrDefault(Names.JobLabel) is { } job ? [new ObjectKey(meta.Namespace, job)] : [];
    };

    /// <summary>A change of status is the operator's own.</summary>
    private static IEnumerable<ObjectKey> OnCheckpoint(InformerChange<CheckpointObject> change) =>
        change is { Old: { } old, New: { } now } && old.Metadata.Generation == now.Metadata.Generation ? [] : Labelled(CheckpointObject.Definition)(change);

    /// <summary>Heartbeats change a node every few seconds; only readiness and our marks concern a job.</summary>
    private IEnumerable<ObjectKey> OnNode(InformerChange<V1Node> change)
    {
        if (change is { Old: { } old, New: { } now } && NodeReader.Read(old) == NodeReader.Read(now)) return [];
        var name = change.Key.Name;
        return Pods.Snapshot.By(Indexes.Node, name).Where(p => p.Metadata.Labels?.ContainsKey(Names.JobLabel) == true)
            .Select(p => new ObjectKey(p.Metadata.Namespace, p.Metadata.Labels![Names.JobLabel])).Distinct();
    }

    private static KeyValuePair<string, Func<T, IEnumerable<string>>> ByJob<T>(ResourceDefinition<T> definition) where T : class =>
        new(JobIndex, item => definition.MetadataOf(item) is { Labels: { } labels } meta && labels.TryGetValue(Names.JobLabel, out var job) ? [Filed(meta.Namespace, job)] : []);

    private static string Filed(string? @namespace, string name) => $"{@namespace}/{name}";

    private static V1ObjectMeta Slim(V1ObjectMeta metadata) => metadata with { ManagedFields = null };
}
