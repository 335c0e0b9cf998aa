using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.LocalCluster.ApiServer;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios.Faults;

/// <summary>Makes a fault happen in a world.</summary>
internal sealed class Inflict(Scenario world, People people)
{
    private readonly List<(string Node, bool Rebooted)> _dead = [];

    public async Task DoAsync(FaultStep step)
    {
        if (step.Fault < WorldFault.EditLive) await BreakAsync(step);
        else if (step.Fault < FaultStep.FirstHarmless) await people.DoAsync(step);
        else if (step.Fault < WorldFault.KillLeader) Disturb(step);
        else await StrikeOperatorAsync(step);
    }

    /// <summary>Everything that can be mended is.</summary>
    public async Task HealAsync()
    {
        BringBack();
        Mend();
        foreach (var stopped in world.Operators) stopped.Clock.Continue();
        foreach (var node in await world.ListAsync(ResourceId.Nodes, null)) await ReleaseAsync((string)node["metadata"]!["name"]!);
        await people.MendAsync();
    }

    private async Task BreakAsync(FaultStep step)
    {
        var (pick, now) = (step.Pick, world.Clock.GetUtcNow());
        if (step.Fault is WorldFault.KillNode or WorldFault.CutNode or WorldFault.BringNodesBack)
        {
            BreakMachine(step);
            return;
        }

        var ips = world.Agents.Reachable;
        if (ips.Count == 0) return;
        var ip = ips[pick % ips.Count];
        switch (step.Fault)
        {
            case WorldFault.KillWorker: world.Agents.At(ip).Fail(pick % 3 == 0 ? WorkerExit.Device : WorkerExit.Internal, now, "killed by signal 9"); break;
            case WorldFault.BreakDevice when pick < 30: world.Agents.At(ip).DeviceBroken = true; break;
            case WorldFault.HangWorker: world.Agents.At(ip).Stopped = true; break;
            case WorldFault.RestartAgent: world.Nodes.RestartAgent(ip); break;
            case WorldFault.EvictPod or WorldFault.DeletePod: await EndPodAsync(step); break;
            default: break;
        }
    }

    private async Task EndPodAsync(FaultStep step)
    {
        var pods = await world.ListAsync(ResourceId.Pods);
        if (pods.Count == 0) return;
        var name = (string)pods[step.Pick % pods.Count]["metadata"]!["name"]!;
        if (step.Fault is WorldFault.EvictPod) await world.Nodes.EvictAsync("ml", name, TestContext.Current.CancellationToken);
        else await world.Api.DeleteAsync(ResourceId.Pods, "ml", name, null, Scenario.User, TestContext.Current.CancellationToken);
    }

    private void BreakMachine(FaultStep step)
    {
        if (step.Fault is WorldFault.BringNodesBack) BringBack();
        else if (_dead.Count < 2)
        {
            var node = $"node-{step.Pick % 7}";
            if (_dead.Any(d => d.Node == node)) return;
            _dead.Add((node, step.Fault is WorldFault.KillNode));
            world.Nodes.Kill(node);
        }
    }

    private void BringBack()
    {
        foreach (var (node, rebooted) in _dead) world.Nodes.Revive(node, rebooted);
        _dead.Clear();
    }

    private void Disturb(FaultStep step)
    {
        var leader = Leader();
        switch (step.Fault)
        {
            case WorldFault.CutAgentFromLeader when world.Agents.Reachable is { Count: > 0 } ips: leader?.Agents.Cut(world.Agents.At(ips[step.Pick % ips.Count]).PodUid); break;
            case WorldFault.CutAgentsFromLeader: leader?.Agents.IsCut = true; break;
            case WorldFault.CutApiServerFromLeader: leader?.Link.Cut(); break;
            case WorldFault.CutApiServerFromAll: foreach (var each in world.Operators) each.Link.Cut(); break;
            case WorldFault.LoseRequests: foreach (var each in world.Operators) each.Link.Loss = 0.2; break;
            case WorldFault.MendNetworks: Mend(); break;
            default: break;
        }
    }

    private void Mend()
    {
        foreach (var each in world.Operators)
        {
            if (each.Link.IsCut) each.Link.Mend();
            each.Link.Loss = 0;
            each.Agents.Mend();
        }
    }

    private async Task StrikeOperatorAsync(FaultStep step)
    {
        switch (step.Fault)
        {
            case WorldFault.KillLeader when Leader() is { } leader: await world.ReplaceAsync(leader); break;
            case WorldFault.KillAllOperators: foreach (var each in world.Operators.ToArray()) await world.ReplaceAsync(each); break;
            case WorldFault.StopLeader: Leader()?.Clock.Stop(); break;
            case WorldFault.ContinueStopped: foreach (var each in world.Operators) each.Clock.Continue(); break;
            case WorldFault.LeaderClockJumps: Leader()?.Clock.Offset += TimeSpan.FromMinutes(step.Pick - 50); break;
            default: break;
        }
    }

    private OperatorProcess? Leader() => world.Operators.FirstOrDefault(o => o.Leads && !o.Clock.IsStopped);

    /// <summary>A person gives a machine back.</summary>
    private async Task ReleaseAsync(string node) => await world.Api.PatchAsync(ResourceId.Nodes, null, node, PatchKind.Merge, new JsonObject
    {
        ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["training.opt-operator.io/quarantined"] = null } },
        ["spec"] = new JsonObject { ["unschedulable"] = null },
    }, Scenario.User, TestContext.Current.CancellationToken);
}
