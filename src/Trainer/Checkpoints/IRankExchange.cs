namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Small values the ranks of one epoch exchange off the training path, over the rendezvous store (a prefix of its own).
/// Never a collective: a slow rank delays a commit, not a step. Safe for concurrent use.
/// </summary>
public interface IRankExchange
{
    int Rank { get; }
    int WorldSize { get; }

    /// <summary>Sets <paramref name="key"/>; a key is set once.</summary>
    Task PublishAsync(string key, ReadOnlyMemory<byte> value, CancellationToken ct);

    /// <summary>Waits until some rank has set <paramref name="key"/>, or until <paramref name="ct"/> is cancelled (which must end the wait promptly).</summary>
    Task<byte[]> WaitAsync(string key, CancellationToken ct);

    /// <summary>Forgets a key nobody will ask for again.</summary>
    Task RemoveAsync(string key, CancellationToken ct);
}
