using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>
/// The goodput ledger: every second since the job started, each in one account. While steps advance, time is charged by step records
/// (their parts, and recompute for steps that had been reached before); otherwise by what the operator is doing.
/// </summary>
internal static class Ledger
{
    public sealed record Book(EquatableList<LedgerAccount> Accounts, DateTimeOffset AsOf, long HighestStep);

    /// <param name="old">The status so far; its phase says what the time since <c>GoodputAsOf</c> was spent on before this decision.</param>
    /// <param name="account">The account of what holds now.</param>
    /// <param name="failedAt">When the fault that is being dealt with showed; null when there is none.</param>
    /// <param name="isLastSave">No step follows: the workers save before they leave.</param>
    public static Book Charge(OptTrainingJobStatus? old, EquatableList<StepRecord> records, string account, DateTimeOffset? failedAt, bool isLastSave, DateTimeOffset now)
    {
        var asOf = old?.GoodputAsOf ?? now;
        var highest = old?.HighestStep ?? 0;
        var seconds = (old?.Goodput ?? []).ToDictionary(a => a.Account, a => a.Seconds, StringComparer.Ordinal);
        var wasRunning = old?.Phase is JobPhase.Running;
        foreach (var record in records)
        {
            var end = record.Time < now ? record.Time : now;
            if (end <= asOf) continue;
            Add(wasRunning ? Accounts.Productive : Accounts.Rendezvous, Math.Max(0, (end - asOf).TotalSeconds - record.Seconds));
            var length = Math.Min((end - asOf).TotalSeconds, record.Seconds);
            var stall = Math.Min(length, record.Timing.CheckpointStall);
            Add(Accounts.CheckpointStall, stall);
            Add(record.Step <= highest && !record.Skipped ? Accounts.Recompute : Accounts.Productive, length - stall);
            (asOf, wasRunning, highest) = (end, true, Math.Max(highest, record.Step));
        }

        // The step in flight is charged once its record is there, or the fault that ended it.
        if (account != Accounts.Productive)
        {
            if (failedAt is { } failed) Until(Accounts.Detect, failed < now ? failed : now);
            Until(wasRunning && isLastSave ? Accounts.CheckpointStall : account, now);
        }

        return new([.. Accounts.All.Select(a => new LedgerAccount { Account = a, Seconds = Math.Round(seconds.GetValueOrDefault(a), 3) })], asOf, highest);

        void Until(string name, DateTimeOffset time)
        {
            if (time <= asOf) return;
            Add(name, (time - asOf).TotalSeconds);
            asOf = time;
        }

        void Add(string name, double amount) => seconds[name] = seconds.GetValueOrDefault(name) + amount;
    }
}
