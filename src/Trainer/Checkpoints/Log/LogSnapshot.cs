using System.Collections.Immutable;
using Opt.Api;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// The state after an entry, kept beside the log so that a reader need not read the whole log. Only a cache: a pure function of the entries up
/// to it, so whoever writes one writes the same bytes; without any the log says the same.
/// </summary>
public sealed record LogSnapshot
{
    public required long Entry { get; init; }
    public string? JobUid { get; init; }
    public required long FencedEpoch { get; init; }
    public EquatableList<KnownCheckpoint> Checkpoints { get; set; } = [];
    public EquatableList<string> Retired { get; set; } = [];
    public EquatableList<string> Logbook { get; set; } = [];

    public static LogSnapshot Of(LogState state) => new()
    {
        Entry = state.Entry,
        JobUid = state.JobUid,
        FencedEpoch = state.FencedEpoch,
        Checkpoints = [.. state.Checkpoints.Values],
        Retired = [.. state.Retired],
        Logbook = [.. state.Logbook],
    };

    public LogState ToState() => new()
    {
        Entry = Entry,
        JobUid = JobUid,
        FencedEpoch = FencedEpoch,
        Checkpoints = Checkpoints.ToImmutableSortedDictionary(c => c.Entry, c => c),
        Retired = [.. Retired],
        Logbook = [.. Logbook],
    };
}
