using System.Globalization;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Torch;
using static Opt.Torch.torch;

namespace Opt.Trainer.Diagnostics;

/// <summary>
/// Collectives among the members of a group: a sum over all, a gather from all, then every pair by itself. What arrives is compared with what must have
/// been sent (small integers, so that sums are exact), and each transfer gives a bandwidth.
/// </summary>
internal sealed class CollectivesTest : IDiagnosticTest
{
    private const int Residues = 97;

    public string Name => DiagnosticTests.Collectives;

    public Finding Run(DiagnosticContext context)
    {
        if (context.Group is not { } group) return Finding.Skipped("alone");
        try
        {
            using var store = Store(context, group);
            using var wire = distributed.ProcessGroupGloo(store, group.Rank, group.Members.Count, context.Patience, new GlooOptions { Address = group.Addresses[group.Rank] });
            var sum = Sum(context, wire, out var sumRate);
            if (sum is not null) return Finding.Bad(sum);
            if (Gather(context, wire, group, out var gatherRate) is { } gathered) return Finding.Bad(gathered);
            var (wrong, slowest) = Pairs(context, wire, group);
            using (var end = wire.barrier()) end.Wait(context.Patience);   // nobody leaves while another still reads
            return wrong is not null ? Finding.Bad(wrong) : Finding.Good(string.Create(CultureInfo.InvariantCulture, $"{group.Members.Count} members, all-reduce {sumRate:F0} MB/s, all-gather {gatherRate:F0} MB/s, slowest pair {slowest}"));
        }
        catch (distributed.DistributedException e)
        {
            return Finding.Bad($"with {string.Join(", ", Others(group))}: {e.Message.Split('\n', 2)[0]}");
        }
    }

    internal static IEnumerable<string> Others(DiagnosticsGroup group) => group.Members.Where((_, i) => i != group.Rank);

    /// <summary>Whom to exchange with in each round of a tournament, by the circle method; -1 to sit out.</summary>
    internal static IEnumerable<int> Partners(int rank, int size)
    {
        var seats = size + size % 2;
        for (var round = 0; round < seats - 1; round++)
        {
            // Seat seats - 1 stays; the others move on by one each round.
            int partner;
            if (rank == seats - 1) partner = Enumerable.Range(0, seats - 1).First(r => 2 * r % (seats - 1) == round);
            else if (2 * rank % (seats - 1) == round) partner = seats - 1;
            else partner = ((round - rank) % (seats - 1) + seats - 1) % (seats - 1);
            yield return partner < size ? partner : -1;
        }
    }

    private static distributed.TCPStore Store(DiagnosticContext context, DiagnosticsGroup group) =>
        new(group.Addresses[0], group.Port, is_server: group.Rank == 0, context.Patience);

    private static string? Sum(DiagnosticContext context, distributed.ProcessGroup wire, out double rate)
    {
        var count = (int)(context.Effort.MessageBytes / sizeof(float));
        using var values = Message(wire.rank, count, context.Faults.Strikes(DiagnosticTests.Collectives));
        var started = context.Time.GetTimestamp();
        using (var work = wire.all_reduce(values)) work.Wait(context.Patience);
        rate = Rate(context, started, 2.0 * (wire.size - 1) / wire.size * context.Effort.MessageBytes);
        var sum = values.AsSpan<float>();
        for (var i = 0; i < count; i++)
        {
            var right = Enumerable.Range(0, wire.size).Sum(r => Element(r, i));
            if (sum[i] != right) return $"the sum over {wire.size} members is {sum[i]} instead of {right} at element {i}";
        }

        return null;
    }

    private static string? Gather(DiagnosticContext context, distributed.ProcessGroup wire, DiagnosticsGroup group, out double rate)
    {
        var count = (int)(context.Effort.MessageBytes / sizeof(float) / wire.size);
        using var mine = Message(wire.rank, count, context.Faults.Strikes(DiagnosticTests.Collectives));
        using var all = empty([(long)count * wire.size]);
        var started = context.Time.GetTimestamp();
        using (var work = wire.all_gather_into_tensor(all, mine)) work.Wait(context.Patience);
        rate = Rate(context, started, (double)(wire.size - 1) * count * sizeof(float));
        for (var from = 0; from < wire.size; from++)
        {
            if (Wrong(all.AsSpan<float>().Slice(from * count, count), from) is { } at) return $"what {group.Members[from]} sent to all is wrong at element {at}";
        }

        return null;
    }

    private static (string? Wrong, string Slowest) Pairs(DiagnosticContext context, distributed.ProcessGroup wire, DiagnosticsGroup group)
    {
        var count = (int)(context.Effort.MessageBytes / sizeof(float));
        using var mine = Message(wire.rank, count, context.Faults.Strikes(DiagnosticTests.Collectives));
        using var theirs = empty([count]);
        var (slowest, lowest) = ("none", double.PositiveInfinity);
        string? wrong = null;
        foreach (var partner in Partners(wire.rank, wire.size).Where(p => p >= 0))
        {
            var started = context.Time.GetTimestamp();
            using (var receive = wire.recv(theirs, partner))
            using (var send = wire.send(mine, partner))
            {
                send.Wait(context.Patience);
                receive.Wait(context.Patience);
            }

            var rate = Rate(context, started, context.Effort.MessageBytes);
            if (rate < lowest) (slowest, lowest) = (string.Create(CultureInfo.InvariantCulture, $"{rate:F0} MB/s with {group.Members[partner]}"), rate);
            if (Wrong(theirs.AsSpan<float>(), partner) is { } at) wrong ??= $"what {group.Members[partner]} sent is wrong at element {at}";
        }

        return (wrong, slowest);
    }

    private static double Rate(DiagnosticContext context, long started, double bytes) => bytes / 1e6 / Math.Max(1e-9, context.Time.GetElapsedTime(started).TotalSeconds);

    private static float Element(int rank, int index) => (index + 31 * rank) % Residues;

    private static int? Wrong(ReadOnlySpan<float> values, int from)
    {
        for (var i = 0; i < values.Length; i++)
        {
            if (values[i] != Element(from, i)) return i;
        }

        return null;
    }

    private static Tensor Message(int rank, int count, bool corrupt)
    {
        var message = empty([count]);
        var values = message.AsSpan<float>();
        for (var i = 0; i < count; i++) values[i] = Element(rank, i);
        if (corrupt) values[count / 2] += 1;
        return message;
    }
}
