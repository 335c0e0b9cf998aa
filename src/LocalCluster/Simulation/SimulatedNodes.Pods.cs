using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Kubelet;
using Opt.LocalCluster.Kubelet.Pods;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Simulation;

/// <summary>The pods of simulated nodes, and what is reported of them.</summary>
public sealed partial class SimulatedNodes
{
    private static readonly Backoff Backoff = new();

    private async Task<TimeSpan?> DoAsync(Work work, CancellationToken ct)
    {
        if (work == Work.Heartbeat)
        {
            foreach (var machine in _machines.Values.Where(m => m.State == MachineState.Up)) await RenewAsync(machine, ct);
            return null;
        }

        var on = _machines[work.Node];
        return on.State == MachineState.Up ? await SyncAsync(on, work.Pod, ct) : null;
    }

    private async Task<TimeSpan?> SyncAsync(SimulatedMachine machine, ObjectKey key, CancellationToken ct)
    {
        var pod = _context.Pods.Get(key);
        foreach (var gone in machine.Runs.Where(r => r.Value.Context.Pod.Key == key && r.Key != pod?.Uid).Select(r => r.Key).ToList()) End(machine, gone);
        if (pod is null || pod.NodeName != machine.Name) return null;
        if (!machine.Runs.TryGetValue(pod.Uid, out var run))
        {
            if (pod.IsTerminating) return await RemoveAsync(pod, ct);
            if (pod.IsFinished) return null;
            if (machine.BackOff.TryGetValue(pod.Uid, out var until) && until > _context.Now) return until - _context.Now;
            run = await BeginAsync(machine, pod, ct);
        }

        await FlushAsync(machine, run, ct);
        return pod.IsTerminating ? await StopAsync(machine, pod, run, ct) : null;
    }

    private async Task<SimulatedRun> BeginAsync(SimulatedMachine machine, JsonObject pod, CancellationToken ct)
    {
        // A pod that ran here before the machine died keeps its address and counts a restart.
        var before = pod.Objects("status", "containerStatuses").FirstOrDefault();
        var ip = pod.PodIp is { Length: > 0 } known ? known : NextAddress();
        var run = new SimulatedRun(new SimulatedPodContext(this, pod, machine.Name, ip), _options.Script(pod))
        {
            StartedAt = _context.Now, Restarts = before is null ? 0 : (int)(before.Number("restartCount") ?? 0) + 1,
        };
        machine.Runs[pod.Uid] = run;
        lock (_gate) _byIp[ip] = run;
        await run.Script.StartAsync(run.Context, ct);
        return run;
    }

    private async Task<TimeSpan?> StopAsync(SimulatedMachine machine, JsonObject pod, SimulatedRun run, CancellationToken ct)
    {
        var grace = TimeSpan.FromSeconds(pod.Number("metadata", "deletionGracePeriodSeconds") ?? 30);
        if (run.StopBy is null)
        {
            run.StopBy = _context.Now + grace;
            if (run.ExitCode is null) await run.Script.StopAsync(grace, ct);
            await FlushAsync(machine, run, ct);
        }

        if (run.ExitCode is null && _context.Now < run.StopBy) return run.StopBy - _context.Now;
        End(machine, pod.Uid);
        return await RemoveAsync(pod, ct);
    }

    private async Task<TimeSpan?> RemoveAsync(JsonObject pod, CancellationToken ct)
    {
        var options = new JsonObject { ["gracePeriodSeconds"] = 0, ["preconditions"] = new JsonObject { ["uid"] = pod.Uid } };
        try
        {
            await _context.Api.DeleteAsync(Kinds.Pods, pod.Namespace, pod.Name, options, CallerOf(pod.NodeName), ct);
        }
        catch (ApiException e) when (e.Code is 404 or 409)
        {
            // It is gone already, or another pod has its name.
        }

        return null;
    }

    internal Task ReportRunningAsync(SimulatedPodContext context, bool ready, CancellationToken ct) => ReportAsync(context, run => run.IsReady = ready, ct);

    internal Task ReportExitAsync(SimulatedPodContext context, int code, CancellationToken ct) => ReportAsync(context, run =>
    {
        run.ExitCode = code;
        run.IsReady = false;
    }, ct);

    private async Task ReportAsync(SimulatedPodContext context, Action<SimulatedRun> change, CancellationToken ct)
    {
        var machine = _machines[context.Node];
        if (!machine.Runs.TryGetValue(context.Pod.Uid, out var run) || !ReferenceEquals(run.Context, context)) return;   // it is dead
        change(run);
        run.IsDirty = true;
        await FlushAsync(machine, run, ct);
        if (run.ExitCode is null || run.StopBy is not null) return;
        if (context.Pod.Text("spec", "restartPolicy") != "Always") return;

        // The kubelet starts the containers again: a new run of the script under the same address.
        machine.BackOff[context.Pod.Uid] = _context.Now + Backoff.BeforeStart(run.Restarts);
        End(machine, context.Pod.Uid);
        _loop.Enqueue(new(machine.Name, context.Pod.Key));
    }

    private async Task FlushAsync(SimulatedMachine machine, SimulatedRun run, CancellationToken ct)
    {
        if (!run.IsDirty || machine.State != MachineState.Up || _context.Pods.Get(run.Context.Pod.Key) is not { } pod || pod.Uid != run.Context.Pod.Uid) return;
        var status = SimulatedStatus.Render(pod, run, machine.Address, pod.IsTerminating, _context.Now);
        var patch = new JsonObject { ["metadata"] = new JsonObject { ["uid"] = pod.Uid }, ["status"] = status };
        try
        {
            var written = await _context.Api.PatchAsync(Kinds.Pods, pod.Namespace, pod.Name, PatchKind.StrategicMerge, patch, CallerOf(machine.Name), ct, "status");
            run.IsDirty = false;
            _context.Pods.Observe(written);
        }
        catch (ApiException e) when (e.Code is 404 or 409)
        {
            // Deleted meanwhile: the queue will hear of it.
        }
    }

    private void End(SimulatedMachine machine, string uid)
    {
        if (!machine.Runs.TryRemove(uid, out var run)) return;
        lock (_gate) _byIp.Remove(run.Context.Ip);
        run.Script.Dead();
    }
}
