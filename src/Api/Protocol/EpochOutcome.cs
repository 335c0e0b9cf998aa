using System.Globalization;
using Opt.Api.V1Alpha1;

namespace Opt.Api.Protocol;

/// <summary>How an epoch ended, for people: by what, and at which step.</summary>
public static class EpochOutcome
{
    /// <summary>On the ConfigMap of a plan: the newest step that the epoch before was seen to reach. Not in the plan, which is what workers are told.</summary>
    public const string ParentStepAnnotation = $"{OptTrainingJob.Group}/parent-step";

    /// <summary>Annotation of a plan's ConfigMap as a number; null where an older operator wrote it, or this is the first plan.</summary>
    public static long? ParentStep(string? annotation) => long.TryParse(annotation, NumberStyles.None, CultureInfo.InvariantCulture, out var step) ? step : null;

    /// <param name="next">The plan of the next epoch; null for the newest.</param>
    /// <param name="parentStep">The step that came with <paramref name="next"/>.</param>
    /// <param name="phase">The job's phase, for the newest epoch.</param>
    /// <param name="step">The job's step, for the newest epoch.</param>
    public static string Of(RunPlan? next, long? parentStep, JobPhase phase, long step) => next is not null
        ? parentStep is { } at ? string.Create(CultureInfo.InvariantCulture, $"{next.Cause.Reason} at step {at}") : next.Cause.Reason
        : string.Create(CultureInfo.InvariantCulture, $"{Now(phase)} at step {step}");

    private static string Now(JobPhase phase) => phase switch
    {
        JobPhase.Succeeded => "completed",
        JobPhase.Failed => "stopped for good",
        JobPhase.Suspended => "suspended",
        JobPhase.Paused => "held for a person",
        JobPhase.Running => "running",
        JobPhase.Launching => "launching",
        _ => "being replaced",
    };
}
