using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Planning.Diagnostics;

/// <summary>
/// What the tests that agents ran say against a node. The reports are the agents' own, so an operator that restarts knows them as well as the one
/// that asked for them.
/// </summary>
internal static class NodeFindings
{
    private const string Prefix = "tests-";

    /// <summary>The fault, for people; null when nothing is held against the node.</summary>
    public static string? Against(Situation s, PodState pod)
    {
        var reports = Reports(s, pod);
        return reports.Count == 0 ? null : Own(reports) ?? OtherBits(s, pod) ?? Bisection.Against(pod.Name, name => s.PodNamed(name) is { } other ? Reports(s, other) : []);
    }

    /// <summary>Names a quarantine for the sake of tests.</summary>
    public static string CauseId(PodState pod) => $"{Prefix}{pod.Node}-{pod.Uid}";

    /// <summary>Nodes that this job put aside for the sake of tests since then.</summary>
    public static IEnumerable<string> PutAside(Situation s, DateTimeOffset since) =>
        s.Seen.Nodes.Where(n => n.Quarantine is { CauseId: { } cause } q && q.JobUid == s.Uid && q.Since >= since && cause.StartsWith(Prefix, StringComparison.Ordinal)).Select(n => n.Name);

    /// <summary>The runs of the pod's agent, oldest first; none from a trainer that cannot test.</summary>
    public static IReadOnlyList<DiagnosticsReport> Reports(Situation s, PodState pod) => s.AgentOf(pod)?.Status is { Diagnostics: { } reports } status && status.PodUid == pod.Uid ? reports : [];

    /// <summary>The newest finished run of the node's own parts.</summary>
    public static DiagnosticsReport? Newest(IEnumerable<DiagnosticsReport> reports) => reports.LastOrDefault(r => r.Set is not DiagnosticsSet.Network && r.State is not DiagnosticsState.Running);

    private static string? Own(IReadOnlyList<DiagnosticsReport> reports) => Newest(reports) is { State: DiagnosticsState.Failed, Fault: { } fault } ? $"{fault.Test}: {fault.Detail}" : null;

    /// <summary>Nodes of one environment must train to the same bits. Two against one name the one; one against one names nobody.</summary>
    private static string? OtherBits(Situation s, PodState pod)
    {
        if (Trained(Newest(Reports(s, pod))) is not { } mine) return null;
        var others = s.Seen.Pods.Where(p => p.Uid != pod.Uid).Select(p => Trained(Newest(Reports(s, p)))).OfType<Bits>().Where(o => (o.Set, o.Environment) == (mine.Set, mine.Environment)).ToArray();
        var (same, most) = (others.Count(o => o.Digest == mine.Digest), others.GroupBy(o => o.Digest).Select(g => g.Count()).DefaultIfEmpty(0).Max());
        return same == 0 && most >= 2 && 2 * most > others.Length + 1 ? $"{DiagnosticTests.TrainingStep}: ends in other bits than {most} nodes of the same environment" : null;
    }

    private static Bits? Trained(DiagnosticsReport? report) =>
        report?.Tests.FirstOrDefault(t => t is { Test: DiagnosticTests.TrainingStep, Outcome: DiagnosticOutcome.Passed }) is { Digest: { } digest, Environment: { } environment } ? new(report.Set, environment, digest) : null;

    private sealed record Bits(DiagnosticsSet Set, string Environment, string Digest);
}
