using System.Text.Json;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;
using Spectre.Console;

namespace Opt.Trainer.Checkpoints.Commands;

/// <summary>What the subcommands do, over one store, as whatever job owns it.</summary>
internal sealed class CheckpointTool(ICheckpointStore store, IAnsiConsole console, bool json, TimeProvider time)
{
    private const string Writer = "opt-trainer checkpoints";

    public async Task ListAsync(CancellationToken ct)
    {
        using var log = await OpenLogAsync(ct);
        var state = await log.ReadAsync(ct);
        if (json) Print(JsonSerializer.Serialize(state.ToCatalogue(), ProtocolJson.Default.Catalogue));
        else if (state.Checkpoints.Count == 0) console.WriteLine($"no checkpoints in {store.Description}");
        else console.Write(CheckpointTables.List(state));
    }

    public async Task ShowAsync(string reference, CancellationToken ct)
    {
        using var log = await OpenLogAsync(ct);
        var checkpoint = CheckpointReference.Find(await log.ReadAsync(ct), reference);
        var reader = await CheckpointReader.OpenAsync(store, checkpoint.ToSummary(), ct);
        if (json) Print(JsonSerializer.Serialize(reader.Manifest, CheckpointJson.Default.Manifest));
        else console.Write(CheckpointTables.Show(checkpoint, reader.Manifest));
    }

    /// <summary>Verifies every byte of the checkpoints named, or of all.</summary>
    /// <exception cref="CheckpointException">One is damaged; the others were verified all the same.</exception>
    public async Task VerifyAsync(IReadOnlyList<string> references, CancellationToken ct)
    {
        using var log = await OpenLogAsync(ct);
        var state = await log.ReadAsync(ct);
        KnownCheckpoint[] chosen = references.Count == 0 ? [.. state.Durable] : [.. references.Select(r => CheckpointReference.Find(state, r))];
        var faults = new List<string>();
        await Bars().StartAsync(async progress =>
        {
            foreach (var checkpoint in chosen)
            {
                if (await FaultAsync(checkpoint, Bar.In(progress, $"step {checkpoint.Commit.Step}"), ct) is { } fault) faults.Add(fault);
            }
        });
        if (faults.Count > 0) throw new CheckpointException(string.Join("; ", faults));
        Say($"{chosen.Length} checkpoints verified, {CheckpointTables.Size(chosen.Sum(c => c.Commit.Bytes))}");
    }

    public Task PinAsync(string reference, bool pinned, CancellationToken ct) => AppendAsync(reference, checkpoint => new()
    {
        Kind = LogEntryKind.Pin,
        Pin = new() { Checkpoint = checkpoint.Entry, Pinned = pinned },
    }, pinned ? "pinned" : "unpinned", ct);

    public Task CondemnAsync(string reference, string reason, CancellationToken ct) => AppendAsync(reference, checkpoint => new()
    {
        Kind = LogEntryKind.Verdict,
        Verdict = new() { Checkpoint = checkpoint.Entry, Verdict = HealthVerdict.Condemned, Reason = reason },
    }, "condemned", ct);

    /// <summary>Applies a retention rule now, and removes what torn saves of ended epochs left.</summary>
    public async Task PruneAsync(RetentionSpec keep, bool dryRun, CancellationToken ct)
    {
        using var log = await OpenLogAsync(ct);
        var (retired, leftovers) = dryRun
            ? (RetentionRule.Choose(await log.ReadAsync(ct), keep), await new Pruner(log, epoch: null).FindLeftoversAsync(ct))
            : await Bars().StartAsync(async progress =>
                (await new Pruner(log, epoch: null) { Progress = Bar.In(progress, "checkpoints") }.RetireAsync(keep, ct),
                await new Pruner(log, epoch: null) { Progress = Bar.In(progress, "leftovers") }.DeleteLeftoversAsync(ct)));
        foreach (var checkpoint in retired) Say($"{(dryRun ? "would retire" : "retired")} step {checkpoint.Commit.Step}, {CheckpointTables.Size(checkpoint.Commit.Bytes)}");
        foreach (var folder in leftovers) Say($"{(dryRun ? "would delete" : "deleted")} leftovers at {folder}");
        if (retired.Count + leftovers.Count == 0) Say("nothing to prune");
    }

    public async Task CopyAsync(string reference, ICheckpointStore to, CancellationToken ct)
    {
        using var log = await OpenLogAsync(ct);
        var state = await log.ReadAsync(ct);
        var checkpoint = CheckpointReference.Find(state, reference);
        await Bars().StartAsync(progress => CheckpointCopy.RunAsync(log, checkpoint, to, state.JobUid!, time, Bar.In(progress, $"step {checkpoint.Commit.Step}"), ct));
        Say($"copied step {checkpoint.Commit.Step} to {to.Description}");
    }

    /// <summary>A log that writes as the job that owns the store: a person at a tool acts for it.</summary>
    private async Task<CommitLog> OpenLogAsync(CancellationToken ct)
    {
        using var reading = new CommitLog(store, Writer, Writer, time);
        return new CommitLog(store, (await reading.ReadAsync(ct)).JobUid ?? Writer, Writer, time);
    }

    private async Task AppendAsync(string reference, Func<KnownCheckpoint, Change> change, string done, CancellationToken ct)
    {
        using var log = await OpenLogAsync(ct);
        KnownCheckpoint? checkpoint = null;
        await log.AppendAsync(state =>
        {
            checkpoint = CheckpointReference.Find(state, reference);
            var wanted = change(checkpoint);
            return CommitLog.Entry(wanted.Kind, state.FencedEpoch) with { Pin = wanted.Pin, Verdict = wanted.Verdict };
        }, ct);
        Say($"{done} step {checkpoint!.Commit.Step} (#{checkpoint.Entry})");
    }

    private async Task<string?> FaultAsync(KnownCheckpoint checkpoint, IProgress<double> progress, CancellationToken ct)
    {
        try
        {
            await (await CheckpointReader.OpenAsync(store, checkpoint.ToSummary(), ct)).VerifyAsync(progress, ct);
            return null;
        }
        catch (CheckpointException e)
        {
            return $"step {checkpoint.Commit.Step}: {e.Message}";
        }
    }

    private Progress Bars() => console.Progress().Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn());

    private void Print(string text) => console.Profile.Out.Writer.WriteLine(text);

    private void Say(string text)
    {
        if (!json) console.WriteLine(text);
    }

    private sealed record Change
    {
        public required LogEntryKind Kind { get; init; }
        public PinEntry? Pin { get; init; }
        public VerdictEntry? Verdict { get; init; }
    }

    private sealed class Bar(ProgressTask task) : IProgress<double>
    {
        public static Bar In(ProgressContext progress, string what) => new(progress.AddTask(what, maxValue: 1));

        public void Report(double value) => task.Value = value;
    }
}
