using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Selectors;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Services;

/// <summary>Runs <see cref="EndpointsDecision"/> for Services that have a selector.</summary>
internal sealed class EndpointsController : IController
{
    private readonly ControllerContext _context;
    private readonly ControllerLoop<ObjectKey> _loop;
    private readonly Executor _executor;

    public EndpointsController(ControllerContext context)
    {
        _context = context;
        _loop = context.Loop<ObjectKey>("endpoints", ReconcileAsync);
        _executor = context.ExecutorFor("endpoint-controller");
        context.Caches.Of(Kinds.Services).Subscribe(change => _loop.Enqueue(change.Key));
        context.Pods.Subscribe(OnPod);
    }

    public Task RunAsync(CancellationToken ct) => _loop.RunAsync(ct);

    private void OnPod(ObjectChange change)
    {
        foreach (var service in _context.Caches.Of(Kinds.Services).In(change.Latest.Namespace))
        {
            if (Selector(service) is { } selector && (selector.Matches(change.Latest.Labels) || (change.Before is { } before && selector.Matches(before.Labels)))) _loop.Enqueue(service.Key);
        }
    }

    private static LabelSelector? Selector(JsonObject service) =>
        service.At("spec", "selector") is JsonObject { Count: > 0 } selector ? LabelSelector.FromMap(selector) : null;

    private async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken ct)
    {
        var endpoints = _context.Caches.Of(Kinds.Endpoints).Get(key);
        if (_context.Caches.Of(Kinds.Services).Get(key) is not { IsTerminating: false } service)
        {
            // An Endpoints object has no owner reference: its controller removes it. The slice has one.
            if (endpoints is { } left && left.Labels.GetValueOrDefault("endpoints.kubernetes.io/managed-by") == "endpoint-controller") await _executor.RunAsync([new Act.Delete(Kinds.Endpoints, left)], ct);
            return null;
        }

        if (Selector(service) is not { } selector) return null;
        var pods = _context.Pods.In(key.Namespace).Where(pod => selector.Matches(pod.Labels)).ToList();
        var slice = _context.Caches.Of(Kinds.EndpointSlices).Get(new(key.Namespace, EndpointsDecision.SliceName(service)));
        await _executor.RunAsync(EndpointsDecision.Decide(service, pods, endpoints, slice).Acts, ct);
        return null;
    }
}
