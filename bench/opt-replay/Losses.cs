using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning;

namespace Opt.Replay;

/// <summary>
/// What each stop cost, from the ledger: time up to a plan counts for the plan's cause, and so does what follows its launch (rendezvous, restore, steps
/// done over) until the next cause shows.
/// </summary>
public sealed class Losses
{
    private static readonly EquatableList<string> BeforePlan = [Accounts.Detect, Accounts.Diagnose, Accounts.Provision];
    private readonly Dictionary<string, double> _open = [];
    private readonly List<Stop> _stops = [new(0, Reasons.Start, null, "", [])];

    /// <summary>In the order in which they happened.</summary>
    public IReadOnlyList<Stop> Stops => _stops;

    /// <summary>Stops and seconds by account of each cause.</summary>
    public IEnumerable<(string Cause, int Launches, Dictionary<string, double> Seconds)> ByCause => _stops.GroupBy(s => s.Cause)
        .Select(g => (g.Key, g.Count(), g.SelectMany(s => s.Seconds).GroupBy(s => s.Key).ToDictionary(s => s.Key, s => s.Sum(p => p.Value))));

    public void Launched(double now, PlanCause cause)
    {
        if (cause.Reason is not Reasons.Start) _stops.Add(new(now, cause.Reason, cause.Node, cause.Message, []));
        foreach (var (account, seconds) in _open) Add(account, seconds);
        _open.Clear();
    }

    public void Charged(OptTrainingJobStatus before, OptTrainingJobStatus after)
    {
        if (before.Goodput == after.Goodput) return;
        foreach (var account in after.Goodput)
        {
            var seconds = account.Seconds - (before.Goodput.FirstOrDefault(a => a.Account == account.Account)?.Seconds ?? 0);
            if (seconds <= 0 || account.Account is Accounts.Productive or Accounts.CheckpointStall) continue;
            if (BeforePlan.Contains(account.Account)) _open[account.Account] = _open.GetValueOrDefault(account.Account) + seconds;
            else Add(account.Account, seconds);
        }
    }

    private void Add(string account, double seconds) => _stops[^1].Seconds[account] = _stops[^1].Seconds.GetValueOrDefault(account) + seconds;
}

/// <param name="At">When the plan after it was made, in seconds since the start.</param>
/// <param name="Seconds">By account of the ledger.</param>
public sealed record Stop(double At, string Cause, string? Node, string Message, Dictionary<string, double> Seconds)
{
    public double All => Seconds.Values.Sum();
}
