using Opt.Api.Protocol;
using Opt.Planning.Tests.World;

namespace Opt.Scenarios.World;

/// <summary>A save that was begun and is not committed yet, and what became of those before it.</summary>
internal sealed class SavesUnderWay
{
    private (long Epoch, long Step, SimulatedAgent[] Members)? _begun;
    private (long Epoch, long Step)? _outcome;

    public List<CheckpointSummary> Committed { get; } = [];

    /// <summary>As they were when they were let go, and how many newer healthy ones there were then.</summary>
    public List<(CheckpointSummary Checkpoint, int NewerHealthy)> Retired { get; } = [];

    /// <summary>Saves that were never finished.</summary>
    public int Torn { get; private set; }

    public void Begin(long epoch, long step, SimulatedAgent[] members)
    {
        if (_begun is not null) Torn++;
        _begun = (epoch, step, members);
    }

    /// <summary>The save that ends now, if all who write it are still there and nobody fenced it off.</summary>
    public (long Epoch, long Step)? Finished(Dictionary<string, SimulatedAgent> alive, long fenced)
    {
        if (_begun is not { } save) return null;
        _begun = null;
        if (save.Epoch >= fenced && save.Members.All(m => alive.GetValueOrDefault(m.PodUid) == m && m.State is not AgentState.Failed)) return _outcome = (save.Epoch, save.Step);
        Torn++;
        return null;
    }

    /// <summary>What the next step record of that epoch tells as committed.</summary>
    public long? TakeOutcome(long epoch)
    {
        if (_outcome is not { } outcome || outcome.Epoch != epoch) return null;
        _outcome = null;
        return outcome.Step;
    }
}
