using Opt.Api;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>
/// What all jobs know of bad nodes, kept on the nodes themselves: it outlives jobs and operators, fades with time, and ends when a person gives
/// the node back.
/// </summary>
public static class NodeMemory
{
    private const int Kept = 16;
    private const int MostDoublings = 3;

    /// <summary>Older offences are forgotten.</summary>
    public static readonly TimeSpan Remembered = TimeSpan.FromDays(30);

    /// <summary>How much an offence still counts: fully for a day, then half as much with each further day.</summary>
    public static double Weight(TimeSpan age) => age <= TimeSpan.FromDays(1) ? 1 : age > Remembered ? 0 : Math.Pow(2, 1 - age.TotalDays);

    /// <summary>How long a node is put aside: twice as long for each time before, up to eight times.</summary>
    public static TimeSpan Term(TimeSpan first, NodeHistory history, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(history);
        return first * Math.Pow(2, Math.Min(MostDoublings, history.Offences.Count(o => o.Quarantined && now - o.At < Remembered)));
    }

    /// <summary>Whether a quarantine is over. A node that is not ready would only be put aside again.</summary>
    public static bool IsOver(NodeState node, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(node);
        return node is { Ready: true, Quarantine.Until: { } until } && until <= now;
    }

    /// <summary>The node was put aside for this very cause, or a person gave it back since it showed: it is not put aside for it again.</summary>
    internal static bool WasGivenBack(Situation s, NodeState node, Incident suspect) =>
        node.Quarantine is null && (node.History.Since >= suspect.DetectedAt || node.History.Offences.Any(o => o.Quarantined && o.JobUid == s.Uid && o.CauseId == suspect.CauseId));

    internal static QuarantineNode Quarantine(Situation s, NodeState node, Incident suspect) => new(
        node.Name, node.Uid, suspect.CauseId, suspect.Reason, suspect.Message, s.Now + Term(s.Policy.QuarantineFor, node.History, s.Now), node.Cordoned,
        With(node.History, [new() { At = s.Now, JobUid = s.Uid, CauseId = suspect.CauseId, Reason = suspect.Reason, Quarantined = true }], s.Now), s.Policy.QuarantineEffect is QuarantineEffect.NoExecute);

    /// <summary>Offences that stand in the kept plans and not yet on the node: told to it after all else, since nothing waits for that.</summary>
    internal static IEnumerable<PlannedAction> Unnoted(Situation s)
    {
        if (!s.Seen.CanActOnNodes) yield break;
        foreach (var node in s.Seen.Nodes)
        {
            Offence[] fresh = [.. Named(s, node.Name).Where(o => s.Now - o.At < Remembered && !(o.At < node.History.Since) && node.History.Offences.All(n => n.JobUid != o.JobUid || n.CauseId != o.CauseId))];
            var history = With(node.History, fresh, s.Now);
            // A full list keeps the newest: what would be dropped again is not written.
            if (fresh.Length > 0 && history != node.History) yield return new NoteOffences(node.Name, node.Uid, history);
        }
    }

    /// <summary>On which occasions this job's plans held a node responsible.</summary>
    internal static IEnumerable<Offence> Named(Situation s, string node) => s.Seen.Plans.Select(p => p.Plan).Where(p => p.Revision == 0 && p.Cause.Node == node)
        .Select(p => new Offence { At = p.CreatedAt, JobUid = s.Uid, CauseId = p.Cause.Id, Reason = p.Cause.Reason });

    private static NodeHistory With(NodeHistory history, IEnumerable<Offence> fresh, DateTimeOffset now) =>
        history with { Offences = [.. history.Offences.Concat(fresh).Where(o => now - o.At < Remembered).OrderBy(o => o.At).TakeLast(Kept)] };
}
