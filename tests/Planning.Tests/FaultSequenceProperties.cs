using FsCheck;
using FsCheck.Fluent;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>Random faults, operator deaths among them; the world checks the invariants after every action, and in the end the job must have come to an end.</summary>
public sealed class FaultSequenceProperties
{
    private static readonly int Sequences = int.TryParse(Environment.GetEnvironmentVariable("OPT_SEQUENCES"), out var n) ? n : 80;

    public enum Fault { None, KillWorker, KillNode, ReviveNode, FailPod, DeletePod, RestartAgent, BreakDevice, Hang, KillOperator, KillOperatorLoseStatus, EditLive, EditRelaunch, EditTemplate, Suspend, Resume }

    [Fact]
    public void Whatever_happens_in_whatever_order_no_invariant_breaks_and_the_job_comes_to_an_end()
    {
        var step = from fault in Gen.Elements(Enum.GetValues<Fault>()) from pick in Gen.Choose(0, 99) from wait in Gen.Choose(0, 60) select (Fault: fault, Pick: pick, Wait: wait);
        var sequences = Arb.From(Gen.ArrayOf(step, 25), Shrink);
        Prop.ForAll(sequences, sequence => Play(sequence)).Check(Config.QuickThrowOnFailure.WithMaxTest(Sequences));
    }

    /// <summary>Without one of its steps each.</summary>
    private static IEnumerable<(Fault, int, int)[]> Shrink((Fault, int, int)[] sequence) => Enumerable.Range(0, sequence.Length).Select(i => sequence.Where((_, at) => at != i).ToArray());

    private static bool Play((Fault Fault, int Pick, int Wait)[] sequence)
    {
        var job = Make.Job(nodes: 3, spares: 1, totalSteps: 700);
        var world = new SimulatedWorld(job with { Spec = job.Spec with { FailurePolicy = job.Spec.FailurePolicy with { NoProgressLimit = 20 } } }, nodes: 10);
        foreach (var (fault, pick, wait) in sequence)
        {
            Apply(world, fault, pick);
            for (var second = 0; second < wait; second++) world.Tick(dieAfter: pick % 7 == 0 && second == pick % 5 ? pick % 4 : null);
        }

        foreach (var node in world.Nodes) node.Alive = true;
        if (world.Job.Spec.Suspend) world.Job = world.Job.Edited(s => s with { Suspend = false });
        world.RunUntil(w => w.Status.Phase is JobPhase.Succeeded or JobPhase.Failed && w.Pods.Count == 0, limit: 6000);
        return true;
    }

    private static void Apply(SimulatedWorld world, Fault fault, int pick)
    {
        var agents = world.Agents.ToArray();
        var agent = agents.Length == 0 ? null : agents[pick % agents.Length];
        var pod = world.Pods.Count == 0 ? null : world.Pods[pick % world.Pods.Count];
        var node = world.Nodes[pick % world.Nodes.Count];
        switch (fault)
        {
            case Fault.KillWorker: agent?.Fail(pick % 3 == 0 ? WorkerExit.Device : WorkerExit.Internal, world.Now); break;
            case Fault.KillNode when node.Alive && world.Nodes.Count(n => n.Alive && n.Quarantine is null) > 5: (node.Alive, node.DeadSince) = (false, world.Now); break;
            case Fault.ReviveNode: node.Alive = true; break;
            case Fault.FailPod: pod?.Failed = pod.Agent is not null; break;
            case Fault.DeletePod: pod?.Terminating = true; break;
            case Fault.RestartAgent: if (pod is { Agent: not null, Node.Alive: true }) pod.Agent = world.NewAgent(pod); break;
            case Fault.BreakDevice when pick < 20: agent?.DeviceBroken = true; break;
            case Fault.Hang: agent?.Stopped = true; break;
            case Fault.KillOperator: world.RestartOperator(); break;
            case Fault.KillOperatorLoseStatus: world.RestartOperator(loseStatus: true); break;
            case Fault.EditLive: world.Job = world.Job.Edited(s => s with { Training = s.Training with { GradientClip = 0.1 + pick } }); break;
            case Fault.EditRelaunch: world.Job = world.Job.Edited(s => s with { Training = s.Training with { MicroBatchSequences = 1 + pick % 4 } }); break;
            case Fault.EditTemplate when pick < 30: world.Job = world.Job.Edited(s => s with { Pod = s.Pod with { Image = $"opt-trainer:{pick}" } }); break;
            case Fault.Suspend when pick < 30: world.Job = world.Job.Edited(s => s with { Suspend = true }); break;
            case Fault.Resume: if (world.Job.Spec.Suspend) world.Job = world.Job.Edited(s => s with { Suspend = false }); break;
            default: break;
        }
    }
}
