using Opt.Operator.Rendering;

namespace Opt.Operator.Jobs;

/// <summary>The Secret of a job's agents as last read, and what it was before: kubelets bring a new one to their pods one after another.</summary>
/// <param name="ReadAt">By the stopwatch.</param>
internal sealed record AgentCredential(AgentSecret Secret, AgentSecret? Former, long ReadAt, bool IsThere = true)
{
    /// <summary>After reading the Secret again; <paramref name="found"/> is null when it is gone, which takes nothing away from agents that still hold it.</summary>
    public AgentCredential Read(AgentSecret? found, long now) => found switch
    {
        null => this with { ReadAt = now, IsThere = false },
        _ when (found.Token, found.Pin) == (Secret.Token, Secret.Pin) => this with { ReadAt = now, IsThere = true },
        _ => new(found, Secret, now),
    };

    // A record prints its members; this one holds tokens.
    public override string ToString() => "agent credential";
}
