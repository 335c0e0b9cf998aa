using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Kubelet.Environment;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>
/// Runs one pod on its node from the moment it is bound until it is gone: one loop, one message at a time, so that nothing here needs a lock. What to do is decided by
/// <see cref="PodDecision"/>; this carries it out and reports the status.
/// </summary>
internal sealed partial class PodWorker : IAsyncDisposable
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Resync = TimeSpan.FromMinutes(1);   // tokens in projected volumes are renewed in time
    private readonly NodeServices _node;
    private readonly JsonObject _nodeObject;
    private readonly IReadOnlyDictionary<string, string> _devices;
    private readonly ILogger _logger;
    private readonly Channel<PodMessage> _messages = Channel.CreateUnbounded<PodMessage>(new() { SingleReader = true });
    private readonly Dictionary<string, ContainerInstance> _instances = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _abandoned = new();
    private readonly ITimer _timer;
    private readonly DateTimeOffset _startTime;
    private readonly Task _loop;
    private List<ContainerState> _containers;
    private IReadOnlyDictionary<string, string>? _volumes;
    private JsonObject _pod;
    private JsonObject? _reported;
    private bool _gone;   // the API server does not know the pod any more
    private DateTimeOffset? _stopBy;

    public PodWorker(NodeServices node, JsonObject nodeObject, JsonObject pod, string podIp, IReadOnlyDictionary<string, string> devices, ILogger logger)
    {
        (_node, _nodeObject, _pod, PodIp, _devices, _logger) = (node, nodeObject, pod, podIp, devices, logger);
        Uid = pod.Uid;
        _startTime = pod.Time("status", "startTime") ?? node.Clock.GetUtcNow();
        _containers = [.. ContainerState.Of(pod).Select(c => c.Recovered(StatusOf(pod, c.Name), node.Clock.GetUtcNow()))];
        _timer = node.Clock.CreateTimer(_ => Post(new PodMessage.Look()), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _loop = RunAsync();
    }

    public string Uid { get; }

    public string Namespace => _pod.Namespace;

    public string PodIp { get; }

    /// <summary>The pod is being stopped, or is gone from the API server already.</summary>
    public bool IsEnding => _gone || _pod.IsTerminating;

    /// <summary>Completes when the pod has left the node.</summary>
    public Task Finished => _loop;

    /// <summary>Containers and what they are doing, as of the last step.</summary>
    public IReadOnlyList<ContainerState> Containers => _containers;

    public void Post(PodMessage message) => _messages.Writer.TryWrite(message);

    /// <summary>Runs a command in a running container; null when there is no such container.</summary>
    public ContainerInstance? Instance(string container)
    {
        lock (_instances) return _instances.GetValueOrDefault(container);
    }

    /// <summary>The machine dies: every process is killed, nothing is reported.</summary>
    public async ValueTask DisposeAsync()
    {
        await _abandoned.CancelAsync();
        await _loop;
        await _timer.DisposeAsync();
        _abandoned.Dispose();
    }

    private async Task RunAsync()
    {
        await Task.Yield();
        try
        {
            Post(new PodMessage.Look());
            while (!await StepAsync(_abandoned.Token))
            {
            }

            Directory.Delete(Directory.CreateDirectory(_node.PodRoot(Uid)).FullName, recursive: true);
        }
        catch (OperationCanceledException) when (_abandoned.IsCancellationRequested)
        {
            // The machine is dead; what is on its disk stays.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.LeftBehind(_logger, e, _pod.Key, _node.PodRoot(Uid));
        }
        finally
        {
            foreach (var instance in _instances.Values.ToList()) await instance.DisposeAsync();
        }
    }

    /// <summary>Takes in what has happened and acts on it; true when the pod has left.</summary>
    private async Task<bool> StepAsync(CancellationToken ct)
    {
        await _messages.Reader.WaitToReadAsync(ct);
        while (_messages.Reader.TryRead(out var message)) await TakeAsync(message, ct);
        try
        {
            if (_gone || _pod.IsTerminating) return await EndAsync(ct);
            await ConvergeAsync(ct);
            await ReportAsync(ending: false, ct);
        }
        catch (NodeCutException)
        {
            // Processes go on; the status is sent when the way is open again.
        }
        catch (ApiException e)
        {
            // A conflict is a race with somebody else's write; anything else is a fault of ours or of the pod.
            if (e.Code != 409) Log.Refused(_logger, _pod.Key, e.Message);
            LookIn(RetryDelay);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Log.Failed(_logger, e, _pod.Key);
            LookIn(RetryDelay);
        }

        return false;
    }

    private async Task TakeAsync(PodMessage message, CancellationToken ct)
    {
        switch (message)
        {
            case PodMessage.Changed { Pod: null }:
                _gone = true;
                break;
            case PodMessage.Changed { Pod: { } pod }:
                _pod = pod;
                break;
            case PodMessage.Exited exited:
                await NoteExitAsync(exited);
                break;
            case PodMessage.Probed probed when IsCurrent(probed.Instance):
                await NoteVerdictAsync(probed, ct);
                break;
        }
    }

    private bool IsCurrent(ContainerInstance instance) => ReferenceEquals(Instance(instance.Name), instance);

    private async Task ConvergeAsync(CancellationToken ct)
    {
        foreach (var instance in _instances.Values) instance.KillIfDue();
        if (!await PrepareVolumesAsync(ct)) return;
        if (PodPhase.MainHasEnded(_pod, _containers) || PodPhase.Of(_pod, _containers) == "Failed") StopAll();
        var decision = PodDecision.Decide(_pod, _containers, _node.Backoff, _node.Clock.GetUtcNow());
        foreach (var (name, delay) in decision.BackingOff) await NoteBackoffAsync(name, delay, ct);
        foreach (var name in decision.Start) await StartAsync(name, ct);

        // A start that failed or ended a wait may allow the next one: look at the result at once.
        if (decision.Start.Count > 0) Post(new PodMessage.Look());
        var due = _instances.Values.Select(i => i.StopBy).Append(decision.LookAgain).Append(_node.Clock.GetUtcNow() + Resync).Where(at => at is not null).Min();
        LookIn(due!.Value - _node.Clock.GetUtcNow());
    }

    // Sidecars of a pod whose work is done, or whose initialization failed for good.
    private void StopAll()
    {
        foreach (var instance in _instances.Values) instance.Stop(Grace(_pod.Number("spec", "terminationGracePeriodSeconds")));
    }

    private async Task<bool> PrepareVolumesAsync(CancellationToken ct)
    {
        try
        {
            _volumes = await _node.Volumes.PrepareAsync(Setting(), _node.PodRoot(Uid), ct);
            return true;
        }
        catch (PodFault fault)
        {
            await SayAsync("Warning", fault.Reason, $"MountVolume.SetUp failed: {fault.Message}", null, ct);
            LookIn(RetryDelay);
            return _volumes is not null;   // a running pod keeps the files it has
        }
    }

    private PodSetting Setting() => new(_pod, PodIp, _node.HostIp, _nodeObject, _node.Sources);

    private void LookIn(TimeSpan delay) => _timer.Change(delay < TimeSpan.Zero ? TimeSpan.Zero : delay, Timeout.InfiniteTimeSpan);

    private void Update(string name, Func<ContainerState, ContainerState> change)
    {
        // A new list each time: readers on other threads see either the old or the new one.
        _containers = [.. _containers.Select(c => c.Name == name ? change(c) : c)];
    }

    private ContainerState State(string name) => _containers.Find(c => c.Name == name)!;

    private async Task ReportAsync(bool ending, CancellationToken ct)
    {
        var status = PodStatus.Render(_pod, _containers, PodIp, _node.HostIp, _startTime, _volumes is not null, ending, _node.Clock.GetUtcNow());
        if (JsonNode.DeepEquals(status, _reported)) return;
        var patch = new JsonObject { ["metadata"] = new JsonObject { ["uid"] = Uid }, ["status"] = status.DeepClone() };
        var written = await _node.Link.TryAsync(api => api.PatchAsync(Kinds.Pods, _pod.Namespace, _pod.Name, PatchKind.StrategicMerge, patch, _node.Link.Caller, ct, "status"));
        if (written is null) return;
        _reported = status;
        if (written.Uid == Uid) _pod = written;
    }

    private Task SayAsync(string type, string reason, string message, string? container, CancellationToken ct)
    {
        var field = container is null ? null : State(container).Kind == ContainerKind.Main ? $"spec.containers{{{container}}}" : $"spec.initContainers{{{container}}}";
        return _node.Link.SayAsync(new Announcement(_pod, type, reason, message, FieldPath: field), ct);
    }

    private static JsonObject? StatusOf(JsonObject pod, string container) =>
        pod.Objects("status", "containerStatuses").Concat(pod.Objects("status", "initContainerStatuses")).FirstOrDefault(s => s.Text("name") == container);

    private static partial class Log
    {
        [LoggerMessage(4101, LogLevel.Warning, "The status of pod {Pod} was refused: {Refusal}; trying again")]
        public static partial void Refused(ILogger logger, ObjectKey pod, string refusal);

        [LoggerMessage(4105, LogLevel.Warning, "Pod {Pod} has left, but its folder {Folder} could not be removed")]
        public static partial void LeftBehind(ILogger logger, Exception error, ObjectKey pod, string folder);

        [LoggerMessage(4103, LogLevel.Error, "Pod {Pod} could not be brought to its wanted state; trying again")]
        public static partial void Failed(ILogger logger, Exception error, ObjectKey pod);
    }
}
