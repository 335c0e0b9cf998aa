using System.Globalization;
using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Planning.Diagnostics;

/// <summary>
/// Finds the node that breaks collectives when none stands out: pairs test their network with each other; who fails is paired again, with somebody who
/// passed if there is one. A node is to blame when it passed with nobody, and failed with two partners who passed with others. Which pairs come next
/// follows from the reports alone.
/// </summary>
internal static class Bisection
{
    /// <summary>Enough to clear the partners of one bad node among three; with more nodes, more bad ones are found.</summary>
    private const int MostRounds = 5;

    private const int FirstPort = 23000, Ports = 1000;

    /// <summary>The pairs of the round under way; empty when there is nothing left to find out.</summary>
    /// <param name="pods">Who can take part, in a fixed order.</param>
    /// <param name="reports">The reports of a pod.</param>
    public static Round Next(IReadOnlyList<PodState> pods, Func<PodState, IReadOnlyList<DiagnosticsReport>> reports, string causeId)
    {
        for (var round = 1; round <= MostRounds; round++)
        {
            var standing = pods.Select(p => Standing.Of(p, reports(p), causeId, before: round)).ToArray();
            var pairs = Pair(standing);
            if (pairs.Count == 0) break;
            var id = Id(round, causeId);
            if (!pairs.SelectMany(p => new[] { p.First, p.Second }).All(p => reports(p).Any(r => r.Id == id && r.State is not DiagnosticsState.Running))) return new(id, pairs);
        }

        return new("", []);
    }

    /// <summary>What one of a pair is asked.</summary>
    public static DiagnosticsRequest Request(Round round, int pair, bool first, double deadlineSeconds, long endWorkersBelow)
    {
        var (a, b) = round.Pairs[pair];
        return new()
        {
            Id = round.Id, Set = DiagnosticsSet.Network, DeadlineSeconds = deadlineSeconds, EndWorkersBelow = endWorkersBelow,
            Group = new() { Members = [a.Name, b.Name], Addresses = [a.Ip!, b.Ip!], Rank = first ? 0 : 1, Port = FirstPort + (int)((Fnv.Hash(round.Id) + pair) % Ports) },
        };
    }

    /// <summary>The verdict over a pod's pair tests; null when it is not to blame.</summary>
    /// <param name="reports">The reports of a pod, by name; none of one that is gone.</param>
    public static string? Against(string pod, Func<string, IReadOnlyList<DiagnosticsReport>> reports)
    {
        foreach (var cause in reports(pod).Where(r => Cause(r.Id) is not null).GroupBy(r => Cause(r.Id)!))
        {
            if (cause.Any(r => r.State is DiagnosticsState.Passed)) continue;
            var partners = cause.Where(r => r.State is DiagnosticsState.Failed).SelectMany(r => r.With).Distinct(StringComparer.Ordinal)
                .Where(p => reports(p).Any(r => r.State is DiagnosticsState.Passed && Cause(r.Id) == cause.Key)).Order(StringComparer.Ordinal).ToArray();
            if (partners.Length >= 2) return $"{DiagnosticTests.Collectives}: pair tests with {string.Join(" and ", partners)} failed, who passed with others ({cause.Last().Fault?.Detail})";
        }

        return null;
    }

    /// <summary>Pair tests that were made for a cause.</summary>
    public static int Tests(Situation s, string causeId) => s.Seen.Pods.SelectMany(p => NodeFindings.Reports(s, p)).Count(r => Cause(r.Id) == causeId) / 2;

    private static string Id(int round, string causeId) => string.Create(CultureInfo.InvariantCulture, $"pairs-{round}-{causeId}");

    private static string? Cause(string id) => id.Split('-', 3) is ["pairs", _, var cause] ? cause : null;

    private static List<Pair> Pair(Standing[] all)
    {
        var good = all.Where(s => s.Passed > 0).ToList();
        var open = all.Where(s => s.Passed == 0 && s.FailedWith.Count(p => good.Exists(g => g.Pod.Name == p)) < 2).ToList();
        var pairs = new List<Pair>();
        while (open.Count > 0)
        {
            var one = open[0];
            open.RemoveAt(0);
            var partner = good.Find(g => !one.FailedWith.Contains(g.Pod.Name)) ?? open.Find(o => !one.FailedWith.Contains(o.Pod.Name));
            if (partner is null) continue;
            good.Remove(partner);
            open.Remove(partner);
            pairs.Add(new(partner.Pod.Ordinal < one.Pod.Ordinal ? partner.Pod : one.Pod, partner.Pod.Ordinal < one.Pod.Ordinal ? one.Pod : partner.Pod));
        }

        return pairs;
    }

    /// <summary>How one pod fared in earlier rounds.</summary>
    private sealed record Standing(PodState Pod, int Passed, IReadOnlyList<string> FailedWith)
    {
        public static Standing Of(PodState pod, IReadOnlyList<DiagnosticsReport> reports, string causeId, int before)
        {
            var ids = Enumerable.Range(1, before - 1).Select(r => Id(r, causeId)).ToHashSet(StringComparer.Ordinal);
            var own = reports.Where(r => ids.Contains(r.Id)).ToArray();
            return new(pod, own.Count(r => r.State is DiagnosticsState.Passed), [.. own.Where(r => r.State is DiagnosticsState.Failed).SelectMany(r => r.With).Distinct(StringComparer.Ordinal)]);
        }
    }
}

/// <summary>Pairs that test at the same time, under one id.</summary>
internal sealed record Round(string Id, IReadOnlyList<Pair> Pairs);

/// <summary>Two pods; the first serves the rendezvous.</summary>
internal sealed record Pair(PodState First, PodState Second);
