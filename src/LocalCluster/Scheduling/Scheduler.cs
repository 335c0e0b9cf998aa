using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Scheduling;

/// <summary>Binds pods of <c>default-scheduler</c> to nodes, one at a time. Pods that fit nowhere are tried again when the cluster changes.</summary>
internal sealed class Scheduler : IController
{
    private const string Name = "default-scheduler";
    private static readonly Caller Caller = new("system:kube-scheduler", "kube-scheduler", ["system:masters", "system:authenticated"]);
    private readonly ControllerContext _context;
    private readonly ControllerLoop<ObjectKey> _loop;
    private readonly SchedulingState _state = new();
    private readonly Lock _gate = new();
    private readonly HashSet<ObjectKey> _unschedulable = [];
    private readonly ConcurrentDictionary<string, string> _reported = new(StringComparer.Ordinal);
    private long _sequence;

    public Scheduler(ControllerContext context)
    {
        _context = context;
        _loop = context.Loop<ObjectKey>("scheduler", ScheduleAsync);
        context.Nodes.Subscribe(OnNode);
        context.Pods.Subscribe(OnPod);
    }

    public Task RunAsync(CancellationToken ct) => _loop.RunAsync(ct);

    private void OnNode(ObjectChange change)
    {
        if (_state.Apply(change)) RetryUnschedulable();
    }

    private void OnPod(ObjectChange change)
    {
        var freed = _state.ApplyPod(change);
        if (change.After is null && change.Before is { } gone) _reported.TryRemove(gone.Uid, out _);
        if (change.After is { } pod && IsWaiting(pod)) _loop.Enqueue(pod.Key);
        else lock (_gate) _unschedulable.Remove(change.Key);
        if (freed) RetryUnschedulable();
    }

    private void RetryUnschedulable()
    {
        ObjectKey[] waiting;
        lock (_gate)
        {
            waiting = [.. _unschedulable];
            _unschedulable.Clear();
        }

        foreach (var key in waiting) _loop.Enqueue(key);
    }

    private static bool IsWaiting(JsonObject pod) =>
        pod.NodeName.Length == 0 && !pod.IsTerminating && !pod.IsFinished && pod.Text("spec", "schedulerName") == Name && !pod.Objects("spec", "schedulingGates").Any();

    private async Task<TimeSpan?> ScheduleAsync(ObjectKey key, CancellationToken ct)
    {
        if (_context.Pods.Get(key) is not { } pod || !IsWaiting(pod)) return null;
        switch (_state.Place(new SchedulingPod(pod)))
        {
            case Placement.On on:
                await BindAsync(pod, on.Node, ct);
                break;
            case Placement.Nowhere nowhere:
                lock (_gate) _unschedulable.Add(key);
                await ReportAsync(pod, nowhere.Message, ct);
                break;
        }

        return null;
    }

    private async Task BindAsync(JsonObject pod, string node, CancellationToken ct)
    {
        var binding = new JsonObject
        {
            ["apiVersion"] = "v1", ["kind"] = "Binding", ["metadata"] = new JsonObject { ["name"] = pod.Name, ["namespace"] = pod.Namespace, ["uid"] = pod.Uid },
            ["target"] = new JsonObject { ["kind"] = "Node", ["name"] = node },
        };
        _state.Assume(pod, node);
        try
        {
            await _context.Api.CreateAsync(Kinds.Pods, pod.Namespace, binding, Caller, ct, pod.Name, "binding");
        }
        catch
        {
            _state.Forget(pod.Uid);
            throw;
        }

        _reported.TryRemove(pod.Uid, out _);
        await RecordAsync(pod, "Normal", "Scheduled", "Binding", $"Successfully assigned {pod.Key} to {node}", ct);
    }

    private async Task ReportAsync(JsonObject pod, string message, CancellationToken ct)
    {
        var before = Condition.Find(pod, "PodScheduled");
        // The cache may not have seen our last report yet: what we said ourselves counts more.
        if ((_reported.TryGetValue(pod.Uid, out var said) ? said : before.Text("message")) == message) return;
        var condition = new JsonObject
        {
            ["type"] = "PodScheduled", ["observedGeneration"] = pod.Generation, ["status"] = "False", ["lastProbeTime"] = null,
            ["lastTransitionTime"] = before.Text("status") == "False" ? before.Text("lastTransitionTime") : _context.Now.ToKubernetesTime(),
            ["reason"] = "Unschedulable", ["message"] = message,
        };
        var patch = new JsonObject { ["metadata"] = new JsonObject { ["uid"] = pod.Uid }, ["status"] = new JsonObject { ["conditions"] = new JsonArray(condition) } };
        await _context.Api.PatchAsync(Kinds.Pods, pod.Namespace, pod.Name, PatchKind.StrategicMerge, patch, Caller, ct, "status");
        _reported[pod.Uid] = message;
        await RecordAsync(pod, "Warning", "FailedScheduling", "Scheduling", message, ct);
    }

    private async Task RecordAsync(JsonObject pod, string type, string reason, string action, string message, CancellationToken ct)
    {
        var now = _context.Now;
        var nanoseconds = (now.ToUnixTimeMilliseconds() * 1_000_000) + Interlocked.Increment(ref _sequence);
        var body = new JsonObject
        {
            ["apiVersion"] = "events.k8s.io/v1", ["kind"] = "Event",
            ["metadata"] = new JsonObject { ["name"] = $"{pod.Name}.{nanoseconds.ToString("x", CultureInfo.InvariantCulture)}", ["namespace"] = pod.Namespace },
            ["regarding"] = new JsonObject
            {
                ["kind"] = "Pod", ["namespace"] = pod.Namespace, ["name"] = pod.Name, ["uid"] = pod.Uid, ["apiVersion"] = "v1", ["resourceVersion"] = pod.ResourceVersion,
            },
            ["reason"] = reason, ["note"] = message, ["type"] = type,
            ["eventTime"] = now.ToKubernetesMicroTime(), ["action"] = action, ["reportingController"] = Name, ["reportingInstance"] = $"{Name}-{Environment.MachineName}",
        };
        await _context.Api.CreateAsync(Kinds.NewEvents, pod.Namespace, body, Caller, ct);
    }
}
