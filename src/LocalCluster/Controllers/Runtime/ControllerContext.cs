using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Runtime;

/// <summary>What every controller is given.</summary>
internal sealed record ControllerContext(IClusterApi Api, CacheSet Caches, Activity Activity, TimeProvider Clock, ILoggerFactory Loggers)
{
    public const string ByOwner = "owner";
    public const string ByNode = "node";

    public static readonly Caller ControllerManager = new("system:kube-controller-manager", "kube-controller-manager", ["system:masters", "system:authenticated"]);

    public DateTimeOffset Now => Clock.GetUtcNow();

    public ObjectCache Pods => Caches.Of(Kinds.Pods);
    public ObjectCache Nodes => Caches.Of(Kinds.Nodes);

    public ControllerLoop<TKey> Loop<TKey>(string name, Func<TKey, CancellationToken, Task<TimeSpan?>> reconcile)
        where TKey : notnull =>
        new(name, reconcile, Activity, Clock, Loggers.CreateLogger(name));

    /// <summary>An executor that writes as the controller manager and whose events carry the component's name.</summary>
    public Executor ExecutorFor(string component) =>
        new(Api, Caches, new EventRecorder(Api, ControllerManager, component, null, Clock), ControllerManager);

    /// <summary>The objects of a resource that a controller of this uid manages.</summary>
    public IReadOnlyList<JsonObject> Owned(ResourceId resource, string uid) => Caches.Of(resource).ByIndex(ByOwner, uid);
}
