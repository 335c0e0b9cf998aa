using System.Globalization;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Diagnostics;

namespace Opt.Planning.Divergence;

/// <summary>
/// One-shot requests by annotation. The answer and what follows from it are one revision of the plan, so a request is never acted on twice,
/// however often the annotation is seen.
/// </summary>
internal static class Requests
{
    public static Move? Decide(Situation s)
    {
        if (s.Plan is not { Rollback: null } plan || !Revisions.IsSettled(s)) return null;
        foreach (var request in s.Job.Metadata.Requests)
        {
            if (plan.Handled.Any(h => h.Request == request.Name && h.Id == request.Id)) continue;
            var (revision, answer) = Answer(s, request);
            return Revisions.Write(s, revision.Answering(new() { Request = request.Name, Id = request.Id, At = s.Now, Answer = answer }));
        }

        return null;
    }

    private static (RunPlan, string) Answer(Situation s, JobRequest request) => (request.Name, s.Plan!.Pause) switch
    {
        ("resume", { } pause) => Resume(s, request, pause),
        ("resume", null) => Refused(s, request, "the job is not paused"),
        ("checkpoint", null) when s.HasStepped => (Next(s, request, $"checkpoint asked for at step {Step(s)}") with { Command = ControlCommand.Checkpoint }, $"asked rank 0 at step {Step(s)}"),
        ("pause", null) => Pause(s, request),
        ("rollback", null) => Rollback(s, request),
        ("relaunch", null) => (Next(s, request, "relaunch asked for") with { Rollback = Pausing.Newest("asked for by annotation") with { CauseId = $"relaunch-{request.Id}", Reason = Reasons.RelaunchRequested } }, $"relaunches from a fresh checkpoint of step {Step(s)} or later"),
        ("diagnose", null) => Diagnose(s, request),
        ("release-override", null) => Release(s, request),
        ("pause", _) => Refused(s, request, "the job is paused already"),
        ("checkpoint" or "rollback" or "relaunch" or "release-override" or "diagnose", _) => Refused(s, request, s.Plan.Pause is null ? "nothing trains now" : "the job is paused: resume it first"),
        _ => Refused(s, request, "unknown; there are checkpoint, rollback, relaunch, diagnose, release-override, pause and resume"),
    };

    private static (RunPlan, string) Resume(Situation s, JobRequest request, PauseOrder pause)
    {
        var order = request.Argument switch
        {
            "newest" => null,
            "initial-weights" => (pause.Rollback ?? Pausing.Newest("resumed")) with { To = new() { To = RollbackTarget.LastHealthy, Otherwise = MissingTarget.InitialWeights } },
            _ => pause.Rollback,
        };
        return (Pausing.Resumed(s, order, Id(request), $"annotation resume: {request.Id} {request.Argument}".TrimEnd()), "resumed");
    }

    private static (RunPlan, string) Pause(Situation s, JobRequest request)
    {
        TimeSpan? length = DurationConverter.TryParse(request.Argument, out var asked) && asked > TimeSpan.Zero ? asked : null;
        if (length is null && request.Argument.Length > 0) return Refused(s, request, $"\"{request.Argument}\" is no duration such as 30m");
        var until = s.Now + length;
        var why = $"asked for by annotation: {request.Id}";
        var order = new PauseOrder { By = Overrides.User, Reason = why, Since = s.Now, SpecGeneration = s.Job.Metadata.Generation, Saves = true, Until = until };
        return (Next(s, request, "pause asked for") with { Pause = order }, $"saves after step {Step(s)} and keeps pods and machines{(until is { } end ? $" until {end:yyyy-MM-dd HH:mm:ss}Z" : "")}");
    }

    private static (RunPlan, string) Rollback(Situation s, JobRequest request)
    {
        if (!long.TryParse(request.Argument, NumberStyles.None, CultureInfo.InvariantCulture, out var step)) return Refused(s, request, $"\"{request.Argument}\" is no step: write \"ID STEP\"");
        var order = new RollbackOrder { CauseId = $"rollback-{request.Id}", Reason = Reasons.RollbackRequested, Message = $"asked for by annotation: {request.Id}", To = new() { Step = step }, OnsetStep = step };
        return (Next(s, request, $"roll back to step {step} asked for") with { Rollback = order }, $"rolls back to the newest checkpoint at or before step {step}");
    }

    private static (RunPlan, string) Diagnose(Situation s, JobRequest request)
    {
        DiagnosticsSet? set = request.Argument switch { "" or "full" => DiagnosticsSet.Full, "quick" => DiagnosticsSet.Quick, "pairs" => DiagnosticsSet.Network, _ => null };
        if (set is null) return Refused(s, request, $"\"{request.Argument}\" is not quick, full or pairs");
        var order = Pausing.Newest("asked for by annotation") with { CauseId = Diagnosis.CauseOf(request.Id), Reason = Reasons.DiagnosticsRequested, Message = $"diagnostics asked for by annotation: {request.Id}", Diagnose = set };
        return (Next(s, request, "diagnostics asked for") with { Rollback = order }, "saves, tests all nodes, and goes on; what is found will stand here");
    }

    private static (RunPlan, string) Release(Situation s, JobRequest request)
    {
        var over = s.Plan!.Overrides.Where(o => o.By != Overrides.User && (request.Argument.Length == 0 || HyperParameterFields.Name(o.Field) == request.Argument)).ToArray();
        if (over.Length == 0) return Refused(s, request, request.Argument.Length == 0 ? "no policy overrides anything" : $"no policy overrides {request.Argument}");
        var revision = Overrides.Without(s, over, Overrides.User, Id(request), $"annotation release-override: {request.Id}");
        return (revision, $"released {string.Join(", ", over.Select(o => HyperParameterFields.Name(o.Field)))}");
    }

    private static (RunPlan, string) Refused(Situation s, JobRequest request, string why) => (Next(s, request, $"request {request.Name} refused: {why}"), $"refused: {why}");

    private static RunPlan Next(Situation s, JobRequest request, string what)
    {
        var record = new InterventionRecord { Actor = Overrides.User, What = what, Why = $"annotation {request.Name}: {request.Id} {request.Argument}".TrimEnd(), Step = Step(s) };
        return Revisions.Next(s, new() { Id = Id(request), Reason = Reasons.HyperParametersChanged, Message = what }, record);
    }

    private static string Id(JobRequest request) => $"request-{request.Name}-{request.Id}";

    private static long Step(Situation s) => s.Seen.Steps.Newest?.Step ?? 0;
}
