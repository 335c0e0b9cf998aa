using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Diagnostics;

/// <summary>What the status shows of tests: the newest of each node, faults first.</summary>
internal static class NodeTests
{
    private const int Shown = 32;

    public static EquatableList<NodeTestStatus> Of(Situation s) =>
    [
        .. s.Seen.Pods.Where(p => p.Node is not null).Select(p => (Pod: p, Report: NodeFindings.Reports(s, p) is [.., var last] ? last : null)).Where(p => p.Report is not null)
            .OrderBy(p => Rank(p.Report!.State)).ThenBy(p => p.Pod.Ordinal).Take(Shown).Select(p => Of(p.Pod, p.Report!)),
    ];

    private static int Rank(DiagnosticsState state) => state switch { DiagnosticsState.Failed => 0, DiagnosticsState.Running => 1, DiagnosticsState.Incomplete => 2, _ => 3 };

    private static NodeTestStatus Of(PodState pod, DiagnosticsReport report) => new()
    {
        Node = pod.Node!,
        Pod = pod.Name,
        Set = Word(report.Set.ToString()),
        State = Word(report.State.ToString()),
        Test = report.Fault?.Test ?? report.Running ?? "",
        Detail = report.Fault?.Detail ?? "",
        StartedAt = report.StartedAt,
    };

    private static string Word(string name) => char.ToLowerInvariant(name[0]) + name[1..];
}
