using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Diagnostics;
using Opt.Planning.Divergence;

namespace Opt.Planning;

/// <summary>
/// The way to a new epoch: fence the store through an agent and read the catalogue as of the fence, wait until every member is there,
/// choose the resume point, create the plan. Nothing of an older epoch can commit after the fence.
/// </summary>
internal static class Launch
{
    private static readonly TimeSpan FenceRetry = TimeSpan.FromSeconds(5);

    /// <param name="culprit">The incident whose pod must be replaced; null when the pods stay.</param>
    public static Move Decide(Situation s, Memory memory, PlanCause cause, EquatableList<BudgetUse> uses, string? badCheckpoint, Incident? culprit)
    {
        var fence = s.Fence;
        var doomed = Exclusion.Deletions(s, culprit, isFenced: fence?.Catalogue is not null);
        // With a fence nothing of the old epoch can commit any more, so its pods may go. Without any agent left to fence through,
        // the replacement's own agent will do it before a plan is made.
        var deletions = fence?.Catalogue is not null || s.Able.Count == 0 ? doomed : [];
        if (fence is { IsFinal: true }) return Stopping.Fail(s, "StoreRefused", fence.Error!).With(Fact.False(ConditionTypes.StoreReady, "Refused", fence.Error!));
        if (!Rollbacks.IsCondemned(s.Plan?.Rollback, fence)) deletions = [];
        var size = Sizing.Of(s, s.Candidates.Count(p => s.Seen.CanActOnNodes || p.Uid != culprit?.PodUid));
        var held = Sizing.Held(s, size);
        var move = Fenced(s, memory, fence) ?? Diagnosis.Decide(s, memory, cause, fence!) ?? Placed(s, memory, held is null ? size : null) ?? Plan(s, memory, cause, uses, badCheckpoint, fence!.Catalogue!, size!.Value);
        if (held is not null) move = move with { Shadows = [.. move.Shadows, held] };
        return deletions.Count == 0 ? move : move.First([.. deletions]);
    }

    /// <summary>Gets the fence; null once it is there.</summary>
    private static Move? Fenced(Situation s, Memory memory, FenceAnswer? fence)
    {
        var order = s.Plan?.Rollback;
        if (fence?.Catalogue is not null && Rollbacks.IsCondemned(order, fence)) return null;
        if (s.Able.Count == 0) return Placement.Wait(s, memory);
        if (fence is { Catalogue: null } && s.Now - fence.At < FenceRetry)
        {
            return Recovery.Waiting(s, memory, Accounts.Diagnose).With(Fact.False(ConditionTypes.StoreReady, "FenceFailed", fence.Error ?? "")).WakeIn(FenceRetry - (s.Now - fence.At));
        }

        // Another agent than the one that just failed, if there is one; only agents that see the store.
        var able = s.Able.Where(p => s.AgentOf(p)!.Status!.Store.Reachable).ToArray();
        var designated = able.FirstOrDefault(p => p.Name != fence?.Pod) ?? able.FirstOrDefault();
        if (designated is null)
        {
            var error = s.AgentOf(s.Able[0])!.Status!.Store.Error ?? "no agent reaches it";
            return Recovery.Waiting(s, memory, Accounts.Diagnose).With(Fact.False(ConditionTypes.StoreReady, "Unreachable", $"checkpoint store: {error}"));
        }

        // The same epoch again after a lost answer, but not after the store said that it has been there: a new cluster with the old store begins at 1 too.
        var epoch = fence?.Epoch == s.HighestEpoch && fence.StoreEpoch < fence.Epoch ? fence.Epoch : s.HighestEpoch + 1;
        return Recovery.Waiting(s, memory, Accounts.Diagnose).Then(new FenceStore(designated.Name, designated.Uid, epoch, order?.To is null ? null : order));
    }

    /// <summary>Waits until the members have a machine; null once they have.</summary>
    private static Move? Placed(Situation s, Memory memory, int? size) => size is not null ? null : Placement.Wait(s, memory).With(Fact.True(ConditionTypes.StoreReady, "Fenced"));

    private static Move Plan(Situation s, Memory memory, PlanCause cause, EquatableList<BudgetUse> uses, string? badCheckpoint, Catalogue catalogue, int size)
    {
        var distrusted = s.Plan?.DistrustedCheckpoints ?? [];
        if (badCheckpoint is not null && !distrusted.Contains(badCheckpoint)) distrusted = [.. distrusted, badCheckpoint];
        var order = s.Plan?.Rollback;
        var resume = ResumePoint.Choose(catalogue, distrusted, s.Plan);
        if (order is { To: not null } && resume is null && order.To.Otherwise is MissingTarget.Pause) return NoTarget(s, order);
        // One that lay in the nodes' memory alone and is lost, with none in the store yet, is no more than a late start.
        if (resume is null && order?.To is null && (s.Seen.Plans.Any(p => p.Plan.Resume is { IsDurable: true }) || catalogue.Checkpoints.Any(c => c.IsDurable)))
        {
            return Stopping.Fail(s, "NoCheckpoint", $"The job has trained before, but none of the {catalogue.Checkpoints.Count} checkpoints in the store can be used; starting again from nothing would lose the run. {cause.Message}");
        }

        var attempts = Reasons.Wanted.Contains(cause.Reason) ? 0 : Progress.LaunchesWithoutProgress(s, resume);
        if (attempts >= s.Policy.NoProgressLimit) return Stopping.Fail(s, "NoProgress", $"{attempts} relaunches in a row resumed from step {resume?.Step ?? 0} and none committed a new checkpoint. Last: {cause.Message}");
        // A clock that was set back would make the wait as long as the jump.
        var wait = s.Launched is null || s.Launched.CreatedAt > s.Now ? TimeSpan.Zero : s.Launched.CreatedAt + Progress.BackOff(attempts, cause.Id) - s.Now;
        if (wait > TimeSpan.Zero) return Recovery.Waiting(s, memory, Accounts.Diagnose).WakeIn(wait);
        return new Move { Phase = s.Plan is null ? JobPhase.Launching : JobPhase.Recovering, Account = Accounts.Diagnose, Memory = memory with { ShortSince = null, BehindAt = null } }
            .Then(new CreatePlan(Build(s, cause, uses, distrusted, resume, size), s.Plan is null ? null : Reached(s), s.Plan?.Revision ?? 0))
            .With(Fact.True(ConditionTypes.StoreReady, "Fenced"), size == s.Nodes ? Fact.True(ConditionTypes.MembersPlaced, "Placed") : Fact.False(ConditionTypes.MembersPlaced, "Short", $"goes on with {size} of {s.Nodes} machines; topology.minNodes is {s.Fewest}"))
            .WakeIn(TimeSpan.FromSeconds(2));
    }

    /// <summary>The newest step of the epoch that ends here. An operator that began to look after its end has it from the status.</summary>
    private static long Reached(Situation s)
    {
        var from = s.Plan!.Resume?.Step ?? 0;
        if (s.HasStepped) return s.Seen.Steps.Newest!.Step;
        return s.Job.Status is { } status && status.Epoch == s.Plan.Epoch && status.Step > from && s.Members.Any(m => m.Status?.LastAttempt > 0) ? status.Step : from;
    }

    /// <summary>There is nothing to go back to: people must say what to do.</summary>
    private static Move NoTarget(Situation s, RollbackOrder order)
    {
        var reason = $"there is no {(order.To!.Step is null ? "healthy " : "")}checkpoint at or before step {order.To.Step ?? order.OnsetStep} to roll back to ({order.Message})";
        return Revisions.Write(s, Pausing.Paused(s, $"missing-{order.CauseId}", reason, order));
    }

    private static RunPlan Build(Situation s, PlanCause cause, EquatableList<BudgetUse> uses, EquatableList<string> distrusted, CheckpointSummary? resume, int size)
    {
        var members = RankAssignment.Assign(s.Plan?.Members ?? [], Swap.Eligible(s, cause), size, p => Suspicion.Doubt(s, p.Node!))!;
        var epoch = s.Fence!.Epoch;
        // An unchanged spec keeps the values pinned in the last plan: a newer operator's defaults never reach a running job. So does one whose
        // edit touched what is immutable, should it have come past the API server.
        var keep = s.Plan is not null && SpecChanges.Of(s).Kind is SpecChanges.Kind.None or SpecChanges.Kind.Policies or SpecChanges.Kind.Immutable ? s.Plan : null;
        var (values, overrides) = keep is null ? Overrides.Resolve(s) : (keep.Training.HyperParameters, keep.Overrides);
        var training = (keep?.Training ?? s.Desired) with { HyperParameters = values };
        var order = s.Plan?.Rollback;
        EquatableList<SampleRange> skipped = [.. s.Plan?.SkipSamples ?? [], .. order is not null && Rollbacks.Skipped(order, resume) is { } range ? [range] : Array.Empty<SampleRange>()];
        return new()
        {
            JobNamespace = s.Job.Metadata.Namespace,
            JobName = s.Job.Metadata.Name,
            JobUid = s.Uid,
            Epoch = epoch,
            Revision = 0,
            ParentEpoch = s.Plan?.Epoch ?? 0,
            CreatedAt = s.Now,
            Cause = Diagnosis.Said(s, cause) is { Length: > 0 } said ? cause with { Message = $"{cause.Message} ({said})" } : cause,
            SpecGeneration = keep?.SpecGeneration ?? s.Job.Metadata.Generation,
            Members = [.. members.Select(p => MemberOf(s, p))],
            WorkersPerMember = s.Job.Spec.Topology.AcceleratorsPerNode,
            RendezvousPort = RendezvousPort(s.Uid, epoch),
            TemplateRevision = s.Seen.StatefulSet!.UpdateRevision,
            Training = training,
            Corpora = CorpusPins.Of(s, training),
            Overrides = overrides,
            Firings = s.Plan?.Firings ?? [],
            Handled = Diagnosis.Answered(s, cause),
            Replay = Replays.Continued(s.Plan, values),
            Run = Rollbacks.NextRun(s.Plan?.Run ?? "1.0", order, resume),
            Resume = resume is null ? null : resume with { Reason = null, Tiers = resume.IsDurable ? null : resume.Tiers },   // what is said of it may change; a plan's digest must not
            SkipSamples = skipped,
            Shuffles = [.. s.Plan?.Shuffles ?? [], .. order is not null && Rollbacks.Shuffled(order, resume, skipped) is { } shuffle ? [shuffle] : Array.Empty<SampleShuffle>()],
            DistrustedCheckpoints = distrusted,
            NodeFailuresPerDay = Advice.NodeFailuresPerDay(s),
            Budgets = uses,
        };
    }

    private static PlanMember MemberOf(Situation s, PodState pod) => new()
    {
        Pod = pod.Name, PodUid = pod.Uid, PodIp = pod.Ip!, AgentInstance = s.AgentOf(pod)!.Status!.Instance, Node = pod.Node!, Zone = s.NodeOf(pod)?.Zone, Rack = s.NodeOf(pod)?.Rack,
    };

    /// <summary>A fresh port for each epoch, below the ephemeral ranges; jobs start at different places, since a node's address may be shared.</summary>
    public static int RendezvousPort(string jobUid, long epoch) => 24000 + (int)((Fnv.Hash(jobUid) + epoch) % 8000);
}
