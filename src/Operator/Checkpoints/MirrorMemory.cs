using Opt.Api.Protocol;

namespace Opt.Operator.Checkpoints;

/// <summary>What was asked of agents lately, and which names are taken by others: neither is repeated at every pass. May be lost at any moment.</summary>
internal sealed class MirrorMemory
{
    private static readonly TimeSpan BlockedFor = TimeSpan.FromMinutes(1);
    private readonly Dictionary<string, (CheckpointMark Mark, DateTimeOffset At, string Answer)> _asked = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DateTimeOffset> _blocked = new(StringComparer.Ordinal);

    /// <summary>What came of asking the same since then: empty for done; null when it was not asked.</summary>
    public string? LastAnswer(string name, CheckpointMark mark, DateTimeOffset since) => _asked.TryGetValue(name, out var last) && last.Mark == mark && last.At > since ? last.Answer : null;

    public void Answered(string name, CheckpointMark mark, string answer, DateTimeOffset at)
    {
        foreach (var old in _asked.Where(a => at - a.Value.At > BlockedFor).Select(a => a.Key).ToArray()) _asked.Remove(old);
        _asked[name] = (mark, at, answer);
    }

    public void Block(string name, DateTimeOffset at) => _blocked[name] = at;

    public bool IsFree(string name, DateTimeOffset now)
    {
        if (_blocked.TryGetValue(name, out var at) && now - at < BlockedFor) return false;
        _blocked.Remove(name);
        return true;
    }
}
