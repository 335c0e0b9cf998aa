using Opt.Api.Protocol;

namespace Opt.Planning;

/// <summary>Whether the run is complete: rank 0's agent ended well at the last step, and no other member is still at work.</summary>
internal static class Completion
{
    public static bool IsReached(Situation s)
    {
        if (s.Plan is null || s.Members.Count == 0) return false;
        var first = s.Members[0];
        if (!first.Runs(s.Plan) || first.Status!.State is not AgentState.Completed) return false;
        // A launch from the last checkpoint has nothing left to do and reports no step.
        var step = Math.Max(Math.Max(first.Status.LastStep?.Step ?? 0, s.Plan.Resume?.Step ?? 0), s.Seen.Steps.Newest is { } newest && newest.Epoch == s.Plan.Epoch ? newest.Step : 0);
        // The last commit needs every rank, so rank 0's good end proves that the others wrote theirs; one may have died since.
        var others = s.Members.Skip(1).All(m => m.Pod is null || m.Agent is not { Answers: true } || m.Status!.State is AgentState.Completed or AgentState.Idle or AgentState.Failed);
        return step >= s.Plan.Training.HyperParameters.TotalSteps && others;
    }

    public static Move? Decide(Situation s)
    {
        if (!IsReached(s)) return null;
        var step = s.Plan!.Training.HyperParameters.TotalSteps;
        return Stopping.End(s, new() { Succeeded = true, Reason = "AllStepsDone", Message = $"trained {step} steps", At = s.Now, Generation = s.Job.Metadata.Generation, Step = step });
    }
}
