namespace Opt.Trainer.Loop;

/// <summary>The counters of a run.</summary>
/// <param name="Attempt">Every forward, skipped ones included.</param>
/// <param name="Step">Successful updates: drives learning rate, saves and Adam.</param>
/// <param name="Samples">Samples consumed, successful or not: the data cursor.</param>
/// <param name="Tokens">Tokens consumed, successful or not.</param>
internal readonly record struct RunCounters(long Attempt, long Step, long Samples, long Tokens)
{
    /// <summary>The counters after an attempt.</summary>
    public RunCounters After(long nextSample, long tokens, bool skipped) => new(Attempt + 1, skipped ? Step : Step + 1, nextSample, Tokens + tokens);
}
