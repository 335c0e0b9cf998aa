using Opt.Api;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>The condition list as a function of the old list and new facts.</summary>
internal static class Conditions
{
    private const int LongestMessage = 2000;

    /// <summary>All condition types, in fixed order; the transition time moves only when the status flips.</summary>
    public static EquatableList<Condition> Merge(EquatableList<Condition> old, IReadOnlyList<Fact> facts, long generation, DateTimeOffset now)
    {
        return [.. ConditionTypes.All.Select(type => Next(old.FirstOrDefault(c => c.Type == type), facts.LastOrDefault(f => f.Type == type), type))];

        Condition Next(Condition? before, Fact? fact, string type)
        {
            if (fact is null) return before ?? new() { Type = type, Status = "Unknown", Reason = "NotDecided", LastTransitionTime = now, ObservedGeneration = generation };
            return new()
            {
                Type = type,
                Status = fact.Status,
                Reason = fact.Reason,
                Message = fact.Message.Length <= LongestMessage ? fact.Message : fact.Message[..LongestMessage] + "...",
                LastTransitionTime = before?.Status == fact.Status ? before.LastTransitionTime : now,
                ObservedGeneration = generation,
            };
        }
    }
}
