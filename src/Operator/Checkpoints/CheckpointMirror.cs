using System.Globalization;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Operator.Checkpoints;

/// <summary>
/// What the cluster's checkpoint objects should be, from the catalogue an agent reported. Pure. The status mirrors the commit log; the spec asks, and what
/// it asks goes to the log through an agent, so that the next catalogue says it.
/// </summary>
internal static class CheckpointMirror
{
    /// <summary>Most objects of one job: pinned checkpoints first, then the newest.</summary>
    public const int MostShown = 200;

    public const string NoAgent = "no agent of the job answers; it is done when one does";

    /// <summary>The names sort by step; the digest keeps apart checkpoints of one step, and of another store.</summary>
    public static string NameOf(string job, CheckpointSummary checkpoint) =>
        string.Create(CultureInfo.InvariantCulture, $"{job}-{checkpoint.Step:d9}-{checkpoint.ManifestDigest[..Math.Min(12, checkpoint.ManifestDigest.Length)]}");

    /// <summary>Marks to ask an agent for: what specs ask and the catalogue does not say.</summary>
    public static IEnumerable<(string Name, CheckpointMark Mark)> Asks(Catalogue catalogue, IEnumerable<MirroredCheckpoint> present)
    {
        var known = catalogue.Checkpoints.ToDictionary(c => (c.Entry, c.ManifestDigest));
        foreach (var item in present)
        {
            if (item.Status is not { } status || !known.TryGetValue((status.Entry, status.ManifestDigest), out var checkpoint)) continue;
            var pin = item.Spec.Pinned is { } pinned && pinned != checkpoint.Pinned ? item.Spec.Pinned : null;
            var condemn = item.Spec.Condemned is { } condemned && checkpoint.Verdict is not HealthVerdict.Condemned ? condemned.Reason : null;
            if (pin is not null || condemn is not null) yield return (item.Name, new() { Entry = checkpoint.Entry, ManifestDigest = checkpoint.ManifestDigest, Pinned = pin, Condemn = condemn });
        }
    }

    /// <summary>The least that must be written; nothing where everything is as it should be.</summary>
    /// <param name="waiting">Why what an object asks is not so yet, by its name.</param>
    public static IEnumerable<MirrorStep> Steps(string job, Catalogue catalogue, IReadOnlyCollection<MirroredCheckpoint> present, IReadOnlyDictionary<string, string> waiting)
    {
        var there = present.ToDictionary(p => p.Name, StringComparer.Ordinal);
        var shown = catalogue.Checkpoints.OrderByDescending(c => c.Pinned).ThenByDescending(c => c.Entry).Take(MostShown).DistinctBy(c => NameOf(job, c)).OrderBy(c => c.Entry).ToDictionary(c => NameOf(job, c), StringComparer.Ordinal);
        foreach (var gone in present.Where(p => !p.Deleting && !shown.ContainsKey(p.Name))) yield return new RemoveCheckpoint(gone.Name, gone.Uid);
        foreach (var (name, checkpoint) in shown)
        {
            var item = there.GetValueOrDefault(name);
            if (item is { Deleting: true }) continue;
            var status = StatusOf(job, checkpoint, waiting.GetValueOrDefault(name, ""));
            if (item is null) yield return new AddCheckpoint(name, status);
            else if (item.Status != status) yield return new WriteCheckpoint(name, item.Uid, status);
        }
    }

    /// <summary>What can be said while no agent has told of the store: that what is asked must wait.</summary>
    public static IEnumerable<MirrorStep> StepsWithoutCatalogue(IEnumerable<MirroredCheckpoint> present) =>
        from item in present
        where item is { Deleting: false, Status: not null }
        let open = (item.Spec.Pinned is { } pinned && pinned != item.Status!.Pinned) || (item.Spec.Condemned is not null && item.Status!.Verdict is not HealthVerdict.Condemned)
        let status = item.Status! with { Waiting = open ? NoAgent : "" }
        where status != item.Status
        select new WriteCheckpoint(item.Name, item.Uid, status);

    private static OptCheckpointStatus StatusOf(string job, CheckpointSummary checkpoint, string waiting) => new()
    {
        Job = job,
        Step = checkpoint.Step,
        Tokens = checkpoint.Tokens,
        Epoch = checkpoint.Epoch,
        Entry = checkpoint.Entry,
        ManifestDigest = checkpoint.ManifestDigest,
        Bytes = checkpoint.Bytes,
        Size = SizeOf(checkpoint.Bytes),
        CommittedAt = checkpoint.CommittedAt,
        Path = checkpoint.Path,
        Verdict = checkpoint.Verdict,
        Reason = Cut(checkpoint.Reason ?? "", 2000),
        Tiers = checkpoint.Tiers ?? [CheckpointTier.Store],
        Pinned = checkpoint.Pinned,
        Waiting = Cut(waiting, 1000),
    };

    /// <summary>Two or three digits with a binary suffix, as Kubernetes writes quantities: 512, 1.5Ki, 820Gi.</summary>
    internal static string SizeOf(long bytes)
    {
        string[] units = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];
        var (value, unit) = ((double)bytes, 0);
        for (; value >= 1024 && unit < units.Length - 1; unit++) value /= 1024;
        return value.ToString(value < 10 && unit > 0 ? "0.#" : "0", CultureInfo.InvariantCulture) + units[unit];
    }

    private static string Cut(string text, int length) => text.Length <= length ? text : text[..length];
}

/// <summary>A checkpoint object as it stands in the cluster.</summary>
internal sealed record MirroredCheckpoint(string Name, string Uid, bool Deleting, OptCheckpointSpec Spec, OptCheckpointStatus? Status);

/// <summary>One write.</summary>
internal abstract record MirrorStep(string Name);

/// <summary>Create the object, then its status.</summary>
internal sealed record AddCheckpoint(string Name, OptCheckpointStatus Status) : MirrorStep(Name);

/// <summary>Write the status.</summary>
internal sealed record WriteCheckpoint(string Name, string Uid, OptCheckpointStatus Status) : MirrorStep(Name);

/// <summary>Delete the object: its checkpoint exists no more, or is too old to be shown.</summary>
internal sealed record RemoveCheckpoint(string Name, string Uid) : MirrorStep(Name);
