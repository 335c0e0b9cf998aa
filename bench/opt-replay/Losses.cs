using Opt.Api;
using Opt.Api.V1Alpha1;
using Opt.Planning;

namespace Opt.Replay;

/// <summary>
/// What each cause cost, from the ledger: time up to a plan counts for the plan's cause, and so does what follows its launch (rendezvous, restore, steps
/// done over) until the next cause shows.
/// </summary>
public sealed class Losses
{
    private static readonly EquatableList<string> BeforePlan = [Accounts.Detect, Accounts.Diagnose, Accounts.Provision];
    private readonly Dictionary<string, double> _open = [];
    private readonly Dictionary<string, Dictionary<string, double>> _byCause = [];
    private readonly Dictionary<string, int> _launches = [];
    private string _cause = Reasons.Start;

    /// <summary>Seconds by cause and account.</summary>
    public IReadOnlyDictionary<string, Dictionary<string, double>> ByCause => _byCause;

    public int Launches(string cause) => _launches.GetValueOrDefault(cause);

    public void Launched(string cause)
    {
        _cause = cause;
        _launches[cause] = _launches.GetValueOrDefault(cause) + 1;
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

    private void Add(string account, double seconds)
    {
        if (!_byCause.TryGetValue(_cause, out var of)) _byCause[_cause] = of = [];
        of[account] = of.GetValueOrDefault(account) + seconds;
    }
}
