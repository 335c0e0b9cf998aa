using System.Globalization;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>
/// Random faults, operator deaths among them; the world checks the invariants after every action, and in the end the job must have come to
/// an end. A failing sequence is shortened and printed with its seed; OPT_TEST_SEED plays
/// that one alone, with OPT_SEQUENCES so many from there on.
/// </summary>
public sealed class FaultSequenceProperties
{
    private const int Steps = 25;

    public enum Fault
    {
        None, KillWorker, KillNode, ReviveNode, FailPod, DeletePod, RestartAgent, BreakDevice, Hang, KillOperator, KillOperatorLoseStatus, EditLive, EditRelaunch, EditTemplate, Suspend, Resume,
        CutAgent, CutAllAgents, MendAgents, LoseApiServer, ApiServerBack, PauseLeader, ResumeOvertakenLeader, JumpClock, KillFiveNodes, CordonNode, CordonWithNotice, UncordonNode,
        SlowNode, SlowAll, FailTests, BreakNetwork, RequestDiagnosis, Diverge, DivergeOnce, Spike, Heal, EditPolicy, AskForRollback, AskForRelease,
    }

    [Fact]
    public void Whatever_happens_in_whatever_order_no_invariant_breaks_and_the_job_comes_to_an_end()
    {
        foreach (var seed in Seeds())
        {
            var sequence = Draw(seed);
            if (Broken(sequence) is not { } broken) continue;
            var least = Shorten(sequence);
            Assert.Fail($"seed {seed} (OPT_TEST_SEED={seed} plays it alone): {Said(Broken(least) ?? broken)}\n{string.Join("\n", least.Select(s => $"{s.Fault} pick {s.Pick}, then {s.Wait} s"))}");
        }
    }

    private static string Said(Exception e) => e is InvariantException or TimeoutException ? e.Message : e.ToString();

    private static IEnumerable<int> Seeds()
    {
        var first = Number("OPT_TEST_SEED");
        return Enumerable.Range(first ?? 1, Number("OPT_SEQUENCES") ?? (first is not null ? 1 : Environment.GetEnvironmentVariable("OPT_SOAK") is null ? 100 : 10_000));
    }

    private static int? Number(string variable) => int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : null;

    private static (Fault Fault, int Pick, int Wait)[] Draw(int seed)
    {
        var random = new Random(seed);
        var faults = Enum.GetValues<Fault>();
        return [.. Enumerable.Range(0, Steps).Select(_ => (faults[random.Next(faults.Length)], random.Next(100), random.Next(61)))];
    }

    private static Exception? Broken((Fault, int, int)[] sequence)
    {
        try
        {
            Play(sequence);
            return null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return e;
        }
    }

    /// <summary>Leaves out one step after the other while it still fails.</summary>
    private static (Fault Fault, int Pick, int Wait)[] Shorten((Fault, int, int)[] sequence)
    {
        for (var i = 0; i < sequence.Length;)
        {
            var without = sequence.Where((_, at) => at != i).ToArray();
            if (Broken(without) is not null) sequence = without;
            else i++;
        }

        return sequence;
    }

    private static void Play((Fault Fault, int Pick, int Wait)[] sequence)
    {
        var job = Make.Job(nodes: 3, spares: 1, totalSteps: 700);
        // Every rung acts in half of the sequences; in the others those that can be are in Shadow mode.
        var mode = sequence.Sum(s => s.Pick) % 2 == 0 ? PolicyMode.Enforce : PolicyMode.Shadow;
        var policy = job.Spec.FailurePolicy with
        {
            NoProgressLimit = 20, Straggler = new() { ForSteps = 20, Mode = mode }, Slowdown = new() { ForSteps = 20, Mode = mode }, LeaveNode = new() { WaitForSpare = TimeSpan.FromSeconds(30), Mode = mode },
            ProvisionDeadline = TimeSpan.FromMinutes(mode is PolicyMode.Enforce ? 1 : 30),
        };
        var spec = job.Spec with { FailurePolicy = policy, DivergencePolicies = Policies.All, Topology = job.Spec.Topology with { MinNodes = mode is PolicyMode.Enforce ? 2 : null } };
        var world = new SimulatedWorld(job with { Spec = spec }, nodes: 10) { CanTest = true, HealthyAfter = 5, Watch = Policies.Check, Shape = Policies.Healthy };
        foreach (var (fault, pick, wait) in sequence)
        {
            Apply(world, fault, pick);
            for (var second = 0; second < wait; second++) world.Tick(dieAfter: pick % 7 == 0 && second == pick % 5 ? pick % 4 : null);
        }

        world.Shape = Policies.Healthy;
        foreach (var node in world.Nodes) (node.Alive, node.Departure, node.Slow) = (true, null, 1);
        if (Sound(world) < 5) foreach (var node in world.Nodes) node.Quarantine = null;   // a person gives the machines back
        world.Unreachable.Clear();
        world.ApiServerAway = false;
        world.ResumeOvertakenLeader();
        if (world.Job.Spec.Suspend) world.Job = world.Job.Edited(s => s with { Suspend = false });
        world.RunUntil(w => Policies.LetGoOn(w).Status.Phase is JobPhase.Succeeded or JobPhase.Failed && w.Pods.Count == 0, limit: 9000);
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
            case Fault.KillNode when Sound(world) > 5: Kill(world, node); break;
            case Fault.KillFiveNodes when pick < 20: foreach (var one in world.Nodes.Take(5)) Kill(world, one); break;
            case Fault.ReviveNode: node.Alive = true; break;
            case Fault.FailPod: pod?.Failed = pod.Agent is not null; break;
            case Fault.DeletePod: pod?.Terminating = true; break;
            case Fault.RestartAgent: if (pod is { Agent: not null, Node.Alive: true }) pod.Agent = world.NewAgent(pod); break;
            case Fault.BreakDevice when pick < 20: agent?.DeviceBroken = true; break;
            case Fault.FailTests when pick < 20: agent?.TestFault = "wrong digest"; break;
            case Fault.BreakNetwork when pick < 20: world.BadNetwork.Add(node.Name); break;
            case Fault.Hang: agent?.Stopped = true; break;
            case Fault.KillOperator: world.RestartOperator(); break;
            case Fault.KillOperatorLoseStatus: world.RestartOperator(loseStatus: true); break;
            case Fault.CutAgent when pod is not null: world.Unreachable.Add(pod.Uid); break;
            case Fault.CutAllAgents: foreach (var one in world.Pods) world.Unreachable.Add(one.Uid); break;
            case Fault.MendAgents: world.Unreachable.Clear(); break;
            case Fault.LoseApiServer: world.ApiServerAway = true; break;
            case Fault.ApiServerBack: world.ApiServerAway = false; break;
            case Fault.PauseLeader: world.PauseLeader(); break;
            case Fault.ResumeOvertakenLeader: world.ResumeOvertakenLeader(); break;
            case Fault.CordonNode when pick < 60: node.Cordon(); break;
            case Fault.CordonWithNotice when pick < 40: node.Departure = new("going", IsClosed: pick % 2 == 0, IsUrgent: true); break;
            case Fault.SlowNode: node.Slow = 1 + pick % 3; break;
            case Fault.SlowAll: foreach (var one in world.Nodes) one.Slow = 1 + pick % 2; break;
            case Fault.UncordonNode: node.Departure = null; break;
            case Fault.JumpClock when pick < 30: world.JumpClock(TimeSpan.FromMinutes(pick)); break;
            case Fault.Diverge or Fault.DivergeOnce or Fault.Spike or Fault.Heal or Fault.EditPolicy or Fault.AskForRollback or Fault.AskForRelease: Policies.Disturb(world, fault, pick); break;
            default: Edit(world, fault, pick); break;
        }
    }

    private static void Edit(SimulatedWorld world, Fault fault, int pick)
    {
        switch (fault)
        {
            case Fault.RequestDiagnosis: world.Job = world.Job with { Metadata = world.Job.Metadata with { Requests = [new("diagnose", $"d{pick}", pick % 2 == 0 ? "quick" : "pairs")] } }; break;
            case Fault.EditLive: world.Job = world.Job.Edited(s => s with { Training = s.Training with { GradientClip = 0.1 + pick } }); break;
            case Fault.EditRelaunch: world.Job = world.Job.Edited(s => s with { Training = s.Training with { MicroBatchSequences = 1 + pick % 4 } }); break;
            case Fault.EditTemplate when pick < 30: world.Job = world.Job.Edited(s => s with { Pod = s.Pod with { Image = $"opt-trainer:{pick}" } }); break;
            case Fault.Suspend when pick < 30: world.Job = world.Job.Edited(s => s with { Suspend = true }); break;
            case Fault.Resume: if (world.Job.Spec.Suspend) world.Job = world.Job.Edited(s => s with { Suspend = false }); break;
            default: break;
        }
    }

    private static int Sound(SimulatedWorld world) => world.Nodes.Count(n => n.Alive && n.Quarantine is null && n.Departure is null);

    private static void Kill(SimulatedWorld world, SimulatedNode node)
    {
        if (node.Alive) (node.Alive, node.DeadSince) = (false, world.Now);
    }
}
