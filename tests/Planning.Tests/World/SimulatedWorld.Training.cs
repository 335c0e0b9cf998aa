using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Tests.World;

/// <content>The trainers and the checkpoint store.</content>
internal sealed partial class SimulatedWorld
{
    /// <summary>Synchronous training: an attempt ends when every member takes part in it.</summary>
    private void MoveTraining()
    {
        foreach (var group in Agents.Where(a => a.Plan is not null && a.Plan.Epoch == a.Epoch || a.State is AgentState.Running).GroupBy(a => a.Plan!.Epoch))
        {
            var plan = group.First().Plan!;
            var members = plan.Members.Select(m => group.FirstOrDefault(a => a.PodUid == m.PodUid && a.Instance == m.AgentInstance)).ToArray();
            var working = members.All(a => a is { State: AgentState.Launching or AgentState.Running });
            if (!working)
            {
                foreach (var agent in members.OfType<SimulatedAgent>()) agent.Fail(WorkerExit.PeerLost, Now);
                continue;
            }

            if (members.Any(a => a!.Stopped) || Now - plan.CreatedAt < TimeSpan.FromSeconds(3)) continue;
            Advance(plan, [.. members.OfType<SimulatedAgent>()]);
        }
    }

    private void Advance(RunPlan plan, SimulatedAgent[] members)
    {
        var first = members[0];
        var from = first.LastStep?.Step ?? plan.Resume?.Step ?? 0;
        if (_lastSave is { } last && last.Epoch == plan.Epoch)
        {
            if (Now >= last.Ends) Leave(plan, from, members);
            return;
        }

        if (from >= plan.Training.HyperParameters.TotalSteps)   // launched from the last checkpoint: nothing is left to do
        {
            foreach (var agent in members) agent.State = AgentState.Completed;
            return;
        }

        var step = from + 1;
        var live = Plans.Select(p => p.Plan).LastOrDefault(p => p.Epoch == plan.Epoch && p.Revision == first.Revision) ?? plan;
        var record = new StepRecord
        {
            Epoch = plan.Epoch, Revision = first.Revision, Attempt = step, Step = step, Samples = step, Tokens = 64 * step, Loss = 3, LearningRate = 1e-3, LossScale = 1, Skipped = false,
            Time = Now, Seconds = 1, TokensPerSecond = 64, HyperParameters = live.Training.HyperParameters,
            Checkpointing = CheckpointSettings.Of(live.Training.Checkpoint),
        };
        var paces = plan.Members.Select((m, i) => (Rank: i * plan.WorkersPerMember, Nodes.Single(n => n.Name == m.Node).Slow)).ToArray();
        var slowest = paces.MaxBy(p => p.Slow);
        record = record with { Seconds = slowest.Slow, Slowest = paces.Length < 2 ? null : new(slowest.Slow > 1 ? slowest.Rank : (int)(step % paces.Length), slowest.Slow, 1) };
        record = Shape(record);
        if (first.StopRequested)
        {
            foreach (var agent in members) agent.State = AgentState.Completed;
            return;
        }

        var done = step >= live.Training.HyperParameters.TotalSteps;
        var drained = first.DrainRequested;
        foreach (var agent in members) (agent.State, agent.LastAttempt) = (AgentState.Running, step);
        first.LastStep = record;
        if (plan.Epoch == Plan?.Epoch)
        {
            _records.Add(record);
            _history.RemoveAll(r => r.Attempt >= record.Attempt);
            _history.Add(record);
        }

        for (var i = 0; i < _commits.Count && HealthyAfter is { } after; i++)
        {
            if (_commits[i].Checkpoint is { Verdict: HealthVerdict.Pending } pending && record.Loss < 5 && step - pending.Step >= after) _commits[i] = (_commits[i].Epoch, pending with { Verdict = HealthVerdict.Healthy });
        }

        var save = first.SaveRequested;
        first.SaveRequested = false;
        if (!(done || drained))
        {
            if (step % CommitEvery == 0 || save) Commit(plan, step, members);
        }
        else if (LastSave == TimeSpan.Zero) Leave(plan, step, members);
        else _lastSave = (plan.Epoch, Now + LastSave);
    }

    private void Leave(RunPlan plan, long step, SimulatedAgent[] members)
    {
        foreach (var agent in members) agent.State = AgentState.Completed;
        Commit(plan, step, members);
    }

    private void Commit(RunPlan plan, long step, SimulatedAgent[] members)
    {
        if (plan.Epoch < _fencedEpoch)
        {
            foreach (var agent in members) agent.Fail(WorkerExit.Fenced, Now);
            return;
        }

        _commits.Add((plan.Epoch, Make.Checkpoint(step, _commits.Count + 1) with { Epoch = plan.Epoch, Tiers = CommitsToMemory ? [CheckpointTier.Node, CheckpointTier.Peer] : null }));
    }
}
