using Opt.LocalCluster.Kubelet.Probes;
using Opt.LocalCluster.Kubelet.Processes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>Starting containers, and what follows from their exits and probes.</summary>
internal sealed partial class PodWorker
{
    private async Task StartAsync(string name, CancellationToken ct)
    {
        var container = State(name);
        var again = container.Run is Run.Terminated || container.Last is not null;
        try
        {
            var spec = ContainerLauncher.Resolve(_node, Setting(), container, _volumes!, _devices);
            await SayAsync("Normal", "Pulled", $"Container image \"{container.Spec.Text("image")}\" already present on machine", name, ct);
            var restart = again ? container.RestartCount + 1 : container.RestartCount;
            var log = new ContainerLog(_node.LogPath(Uid, name, restart), _node.Clock, _node.LogLimits);
            var instance = new ContainerInstance(container, spec, log, _node.Clock, Post, (c, reason, message) => SayAsync("Warning", reason, message, c, ct));
            await SayAsync("Normal", "Created", $"Created container: {name}", name, ct);
            Begin(name, restart, again);
            ContainerLog.Prune(Path.GetDirectoryName(_node.LogPath(Uid, name, restart))!, restart);
            instance.Start(PodIp, _node.Http);
            lock (_instances) _instances[name] = instance;
            await SayAsync("Normal", "Started", $"Started container {name}", name, ct);
        }
        catch (PodFault fault)
        {
            await NoteFaultAsync(name, fault, ct);
        }
        catch (IOException e)
        {
            await NoteStartErrorAsync(name, e.Message, ct);
        }
    }

    private void Begin(string name, int restart, bool again)
    {
        var now = _node.Clock.GetUtcNow();
        Update(name, c => c with
        {
            Run = new Run.Running(now),
            Last = c.Run as Run.Terminated ?? c.Last,
            RestartCount = restart,
            BackoffLevel = again ? c.BackoffLevel + 1 : 0,
            RetryAt = null,
            Started = ProbeSpec.Of(c.Spec).All(p => p.Kind != ProbeKind.Startup),
            Ready = ProbeSpec.Of(c.Spec).All(p => p.Kind == ProbeKind.Liveness),
            ContainerId = $"opt-local://{Uid}-{name}-{restart}",
            LastContainerId = again ? c.ContainerId : c.LastContainerId,
        });
    }

    // Image pulls back off and say so; other faults are simply tried again.
    private async Task NoteFaultAsync(string name, PodFault fault, CancellationToken ct)
    {
        var image = State(name).Spec.Text("image");
        var pulling = fault.Reason == "ErrImagePull";
        var backingOff = pulling && State(name).Run is Run.Waiting { Reason: "ErrImagePull" or "ImagePullBackOff" };
        if (backingOff)
        {
            await SayAsync("Normal", "BackOff", $"Back-off pulling image \"{image}\"", name, ct);
        }
        else
        {
            await SayAsync("Warning", "Failed", pulling ? $"Failed to pull image \"{image}\": {fault.Message}" : $"Error: {fault.Message}", name, ct);
        }

        var level = pulling ? State(name).BackoffLevel + 1 : 0;
        var delay = pulling ? _node.Backoff.BeforeStart(level) : RetryDelay;
        Update(name, c => c with
        {
            Run = backingOff ? new Run.Waiting("ImagePullBackOff", $"Back-off pulling image \"{image}\": {fault.Reason}: {fault.Message}") : new Run.Waiting(fault.Reason, fault.Message),
            BackoffLevel = level,
            RetryAt = _node.Clock.GetUtcNow() + delay,
        });
    }

    private async Task NoteStartErrorAsync(string name, string message, CancellationToken ct)
    {
        var now = _node.Clock.GetUtcNow();
        await SayAsync("Warning", "Failed", $"Error: {message}", name, ct);
        Update(name, c => c with { Run = new Run.Terminated(128, "StartError", now, now, message), Started = false, Ready = false });
    }

    private async Task NoteExitAsync(PodMessage.Exited exited)
    {
        if (!IsCurrent(exited.Instance)) return;
        var name = exited.Instance.Name;
        lock (_instances) _instances.Remove(name);
        var container = State(name);
        var since = (container.Run as Run.Running)?.StartedAt ?? exited.At;
        var message = ContainerLauncher.TerminationMessage(_node, Uid, container, exited.Code, _node.LogPath(Uid, name, container.RestartCount));
        Update(name, c => c with
        {
            Run = new Run.Terminated(exited.Code, exited.Code == 0 ? "Completed" : "Error", since, exited.At, message),
            BackoffLevel = _node.Backoff.NextLevel(c.BackoffLevel, exited.At - since) == 0 ? 0 : c.BackoffLevel,
            Started = false,
            Ready = false,
        });
        await exited.Instance.DisposeAsync();
    }

    private async Task NoteVerdictAsync(PodMessage.Probed probed, CancellationToken ct)
    {
        var name = probed.Instance.Name;
        switch (probed.Probe.Kind, probed.Succeeded)
        {
            case (ProbeKind.Readiness, var ready):
                Update(name, c => c with { Ready = ready });
                break;
            case (ProbeKind.Startup, true):
                probed.Instance.MarkStarted();
                Update(name, c => c with { Started = true, Ready = ProbeSpec.Of(c.Spec).All(p => p.Kind != ProbeKind.Readiness) });
                break;
            case (_, false) when probed.Instance.StopBy is null:
                var kind = probed.Probe.Kind == ProbeKind.Startup ? "startup" : "liveness";
                await SayAsync("Normal", "Killing", $"Container {name} failed {kind} probe, will be restarted", name, ct);
                probed.Instance.Stop(probed.Probe.TerminationGrace ?? Grace(_pod.Number("spec", "terminationGracePeriodSeconds")));
                break;
        }
    }

    // Shown as CrashLoopBackOff while it waits.
    private async Task NoteBackoffAsync(string name, TimeSpan delay, CancellationToken ct)
    {
        if (State(name).Run is not Run.Terminated ended) return;
        var message = $"back-off {Describe(delay)} restarting failed container={name} pod={_pod.Name}_{_pod.Namespace}({Uid})";
        Update(name, c => c with { Run = new Run.Waiting("CrashLoopBackOff", message), Last = ended });
        await SayAsync("Warning", "BackOff", $"Back-off restarting failed container {name} in pod {_pod.Name}_{_pod.Namespace}({Uid})", name, ct);
    }

    // Go's spelling of durations, as kubectl users know it: 10s, 1m20s, 5m0s.
    private static string Describe(TimeSpan delay) =>
        delay.TotalMinutes >= 1 ? $"{(int)delay.TotalMinutes}m{delay.Seconds}s" : delay.TotalSeconds >= 1 ? $"{(int)delay.TotalSeconds}s" : $"{(int)delay.TotalMilliseconds}ms";

    private static TimeSpan Grace(long? seconds) => TimeSpan.FromSeconds(seconds ?? 30);
}
