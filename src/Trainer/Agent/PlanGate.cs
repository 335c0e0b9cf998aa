using Opt.Api.Protocol;

namespace Opt.Trainer.Agent;

/// <summary>Whether an agent takes a plan. Pure.</summary>
internal static class PlanGate
{
    /// <param name="epoch">Highest epoch seen in a fence or plan.</param>
    /// <param name="running">The plan being run; null for none.</param>
    public static PlanVerdict Decide(RunPlan plan, AgentIdentity self, long epoch, PlanId? running)
    {
        if (plan.Protocol != RunPlan.CurrentProtocol) return PlanVerdict.Invalid($"protocol {plan.Protocol} is not spoken here; {RunPlan.CurrentProtocol} is");
        if (plan.JobUid != self.JobUid) return PlanVerdict.Conflict($"the plan is of job {plan.JobUid}, this pod of {self.JobUid}");
        if (plan.Epoch < epoch) return PlanVerdict.Conflict($"epoch {plan.Epoch} is over: {epoch} was seen");
        if (running is { } current && current.Epoch == plan.Epoch) return Same(plan, current);
        var member = plan.Members.FirstOrDefault(m => m.PodUid == self.PodUid);
        if (member is null) return PlanVerdict.Conflict($"pod {self.Pod} ({self.PodUid}) is not a member of the plan");
        if (member.AgentInstance != self.Instance) return PlanVerdict.Conflict($"the plan asks agent {member.AgentInstance}, which is gone; this is {self.Instance}");
        return plan.WorkersPerMember == self.Workers ? PlanVerdict.Launch : PlanVerdict.Invalid($"workersPerMember is {plan.WorkersPerMember}, this pod has {self.Workers} accelerators");
    }

    /// <summary>A newer revision of the running epoch is noted (rank 0 hands it to the workers by the control word); any other difference is a fault.</summary>
    private static PlanVerdict Same(RunPlan plan, PlanId running)
    {
        if (plan.Id == running) return PlanVerdict.Known;
        return plan.Revision > running.Revision
            ? PlanVerdict.Revision
            : PlanVerdict.Fault($"epoch {plan.Epoch} revision {plan.Revision} runs with digest {running.Digest} here, but was sent with {plan.Id.Digest}: two plans for one epoch");
    }
}

/// <summary>Who an agent is.</summary>
internal sealed record AgentIdentity(string Instance, string JobUid, string Pod, string PodUid, string Node, int Workers);

/// <summary>What to do with a plan.</summary>
internal enum PlanAction { Launch, Known, Revision, Conflict, Fault, Invalid }

/// <summary>The action, and why when it is a refusal.</summary>
internal sealed record PlanVerdict(PlanAction Action, string Message = "")
{
    public static readonly PlanVerdict Launch = new(PlanAction.Launch), Known = new(PlanAction.Known), Revision = new(PlanAction.Revision);

    public static PlanVerdict Conflict(string message) => new(PlanAction.Conflict, message);

    public static PlanVerdict Fault(string message) => new(PlanAction.Fault, message);

    public static PlanVerdict Invalid(string message) => new(PlanAction.Invalid, message);
}
