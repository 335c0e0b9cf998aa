using System.Globalization;
using Opt.Api.Protocol;
using Opt.Planning.Diagnostics;
using Xunit;

namespace Opt.Planning.Tests.Diagnostics;

public sealed class BisectionTests
{
    public static TheoryData<int, int[], int[]> Cases => new()
    {
        { 2, [], [] },
        { 2, [0], [] },             // one against one: nobody can say which
        { 3, [2], [2] },            // the odd one out of the first round
        { 3, [0], [0] },
        { 4, [1], [1] },
        { 5, [0, 4], [0, 4] },
        { 6, [2, 3], [2, 3] },      // both of one pair
        { 8, [0, 3, 6], [0, 3, 6] },
        { 4, [0, 1, 2, 3], [] },    // every pair fails: the network, and no node
        { 6, [0, 2, 4], [0, 2, 4] },   // one in every pair of the first round
        { 3, [1, 2], [] },          // nobody is left to pass with
        { 124, [17, 63, 99, 120], [17, 63, 99, 120] },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Two_failed_pair_tests_name_a_node_and_only_a_bad_one(int nodes, int[] bad, int[] named)
    {
        var (blamed, rounds) = Play(nodes, bad);
        Assert.Equal(named, blamed);
        Assert.InRange(rounds, 0, 5);
    }

    [Fact]
    public void A_single_bad_node_among_at_least_three_is_always_found()
    {
        for (var nodes = 3; nodes <= 33; nodes++)
        {
            for (var bad = 0; bad < nodes; bad++) Assert.Equal([bad], Play(nodes, [bad]).Blamed);
        }
    }

    [Fact]
    public void No_good_node_is_ever_blamed()
    {
        var random = new Random(1);
        for (var run = 0; run < 300; run++)
        {
            var nodes = random.Next(2, 40);
            int[] bad = [.. Enumerable.Range(0, nodes).Where(_ => random.Next(6) == 0)];
            Assert.All(Play(nodes, bad).Blamed, b => Assert.Contains(b, bad));
        }
    }

    [Fact]
    public void A_partner_that_never_came_counts_once_and_is_not_held_against_who_waited()
    {
        var pods = Pods(4);
        var reports = new Dictionary<string, List<DiagnosticsReport>>(StringComparer.Ordinal);
        foreach (var pod in pods) reports[pod.Name] = [];
        Run(pods, reports, (a, b) => (a, b) is (0, 1) or (1, 0));
        Assert.Null(Bisection.Against("opt-0", n => reports[n]));
        Run(pods, reports, (_, _) => false);
        Assert.All(pods, p => Assert.Null(Bisection.Against(p.Name, n => reports[n])));
    }

    private static (int[] Blamed, int Rounds) Play(int nodes, int[] bad)
    {
        var pods = Pods(nodes);
        var reports = pods.ToDictionary(p => p.Name, _ => new List<DiagnosticsReport>(), StringComparer.Ordinal);
        var rounds = 0;
        while (Run(pods, reports, (a, b) => bad.Contains(a) || bad.Contains(b))) rounds++;
        return ([.. Enumerable.Range(0, nodes).Where(i => Bisection.Against($"opt-{i}", n => reports[n]) is not null)], rounds);
    }

    /// <summary>One round; false when there is none left.</summary>
    private static bool Run(PodState[] pods, Dictionary<string, List<DiagnosticsReport>> reports, Func<int, int, bool> fails)
    {
        var round = Bisection.Next(pods, p => reports[p.Name], "hang-1");
        var busy = round.Pairs.SelectMany(p => new[] { p.First.Name, p.Second.Name }).ToArray();
        Assert.Equal(busy.Length, busy.Distinct().Count());   // nobody has two partners at a time
        foreach (var (a, b) in round.Pairs)
        {
            var state = fails(a.Ordinal, b.Ordinal) ? DiagnosticsState.Failed : DiagnosticsState.Passed;
            reports[a.Name].Add(new() { Id = round.Id, Set = DiagnosticsSet.Network, State = state, With = [b.Name] });
            reports[b.Name].Add(new() { Id = round.Id, Set = DiagnosticsSet.Network, State = state, With = [a.Name] });
        }

        return round.Pairs.Count > 0;
    }

    private static PodState[] Pods(int count) => [.. Enumerable.Range(0, count).Select(i => Make.Pod(i.ToString(CultureInfo.InvariantCulture), i))];
}
