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
        var ended = s.TrainedBits[(mine.Set, mine.Environment)];
        var most = ended.Where(d => d.Key != mine.Digest).Select(d => d.Value).DefaultIfEmpty(0).Max();
        return ended[mine.Digest] == 1 && most >= 2 && 2 * most > ended.Values.Sum() ? $"{DiagnosticTests.TrainingStep}: ends in other bits than {most} nodes of the same environment" : null;
    }

    /// <summary>How many nodes ended their training step in which bits, by the set of tests and the environment.</summary>
    public static Dictionary<(DiagnosticsSet Set, string Environment), Dictionary<string, int>> TrainedBits(Situation s) => s.Seen.Pods.Select(p => Trained(Newest(Reports(s, p)))).OfType<Bits>()
        .GroupBy(b => (b.Set, b.Environment)).ToDictionary(g => g.Key, g => g.CountBy(b => b.Digest, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal));

    private static Bits? Trained(DiagnosticsReport? report) =>
        report?.Tests.FirstOrDefault(t => t is { Test: DiagnosticTests.TrainingStep, Outcome: DiagnosticOutcome.Passed }) is { Digest: { } digest, Environment: { } environment } ? new(report.Set, environment, digest) : null;

    private sealed record Bits(DiagnosticsSet Set, string Environment, string Digest);
}
