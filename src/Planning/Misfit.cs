using Opt.Api.Protocol;

namespace Opt.Planning;

/// <summary>
/// One machine that cannot run what has run before: data that cannot be read there, a library or a driver that is missing. By its exit code that is the user's mistake, but the very
/// spec and pods have trained, and nobody else says so. It is relaunched in place once, then the machine goes; a second machine that says the same makes it the user's after all.
/// </summary>
internal static class Misfit
{
    private static readonly TimeSpan Remembered = TimeSpan.FromDays(1);
    private static readonly string[] s_reasons = [Reasons.Configuration, Reasons.Data, Reasons.TorchUnavailable];

    public static (Severity Severity, string Said) Judge(Situation s, Member member, string reason)
    {
        if (s.Members.Count < 2 || !HasTrained(s) || s.Members.Any(m => m.Planned.Node != member.Planned.Node && SaysSo(s, m))) return (Severity.User, "");
        var since = s.Seen.StatefulSet?.CountersSince;
        string?[] named = [.. s.Seen.Plans.Select(p => p.Plan).Where(p => p.Revision == 0 && s_reasons.Contains(p.Cause.Reason) && s.Now - p.CreatedAt < Remembered && !(p.CreatedAt < since)).Select(p => p.Cause.Node)];
        if (named.Any(n => n != member.Planned.Node)) return (Severity.User, "");
        return (named.Length > 0 ? Severity.Node : Severity.Process, $"; the same spec has trained before and no other machine says so, so it is held against {member.Planned.Node}");
    }

    private static bool SaysSo(Situation s, Member member) => member.Runs(s.Plan!) && member.Status is { State: AgentState.Failed, Failure: { } failure } && WorkerFailures.Classify(failure.Exit).Severity is Severity.User;

    /// <summary>This epoch, or one before it of the same spec and the same pods, made steps.</summary>
    private static bool HasTrained(Situation s)
    {
        if (s.HasStepped) return true;
        StoredPlan[] newest = [.. s.Seen.Plans.GroupBy(p => p.Plan.Epoch).OrderBy(g => g.Key).Select(g => g.MaxBy(p => p.Plan.Revision)!)];
        var reached = s.Seen.Plans.Where(p => p.Plan.Revision == 0 && p.ParentStep is not null).ToDictionary(p => p.Plan.ParentEpoch, p => p.ParentStep!.Value);
        return newest.Any(p => p.Plan.SpecGeneration == s.Plan!.SpecGeneration && p.Plan.TemplateRevision == s.Plan.TemplateRevision && reached.GetValueOrDefault(p.Plan.Epoch) > (p.Plan.Resume?.Step ?? 0));
    }
}
