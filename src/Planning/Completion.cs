using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>
/// Whether the run is complete: rank 0's agent ended well at the last step, and no other member is still at work. Where rank 0's agent cannot be asked,
/// the others and the store bear witness: a member ended well, and the last step's checkpoint is committed.
/// </summary>
internal static class Completion
{
    public static bool IsReached(Situation s)
    {
        if (s.Plan is null || s.Members.Count == 0) return false;
        // The last commit needs every rank, so one member's good end proves that the others wrote theirs; one may have died since.
        var atWork = s.Members.Skip(1).Any(m => m.Pod is not null && m.Agent is { Answers: true } && m.Status!.State is AgentState.Launching or AgentState.Running);
        return !atWork && (RankZeroSays(s, s.Plan) || OthersProve(s, s.Plan));
    }

    public static Move? Decide(Situation s)
    {
        if (!IsReached(s)) return null;
        var step = s.Plan!.Training.HyperParameters.TotalSteps;
        return Stopping.End(s, new() { Succeeded = true, Reason = "AllStepsDone", Message = $"trained {step} steps", At = s.Now, Generation = s.Job.Metadata.Generation, Step = step });
    }

    private static bool RankZeroSays(Situation s, RunPlan plan)
    {
        var first = s.Members[0];
        if (!first.Runs(plan) || first.Status!.State is not AgentState.Completed) return false;
        // A launch from the last checkpoint has nothing left to do and reports no step.
        var step = Math.Max(Math.Max(first.Status.LastStep?.Step ?? 0, plan.Resume?.Step ?? 0), s.Seen.Steps.Newest is { } newest && newest.Epoch == plan.Epoch ? newest.Step : 0);
        return step >= plan.Training.HyperParameters.TotalSteps;
    }

    private static bool OthersProve(Situation s, RunPlan plan)
    {
        var first = s.Members[0];
        if (first.Agent is { Answers: true } && first.Runs(plan)) return false;
        return s.Members.Skip(1).Any(m => m.Agent is { Answers: true } && m.Runs(plan) && m.Status!.State is AgentState.Completed)
            && s.Seen.Steps.Committed is { IsDurable: true, Verdict: not HealthVerdict.Condemned } last && last.Epoch == plan.Epoch && last.Step >= plan.Training.HyperParameters.TotalSteps;
    }
}
