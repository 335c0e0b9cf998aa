using Opt.Api;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>Events are what changed between two statuses: whatever way a change came about, it is announced once.</summary>
public static class Announcements
{
    public static EquatableList<Announcement> Between(OptTrainingJobStatus? old, OptTrainingJobStatus now)
    {
        var said = old?.Logbook ?? [];
        return [.. now.Logbook.Where(e => !said.Any(e.IsSame)).Select(Of), .. now.Logbook.Where(e => e.Outcome is not null && said.Any(o => o.Outcome is null && o.IsSame(e))).Select(Became), .. now.Conditions.Where(c => IsNews(old, c)).Select(c => new Announcement(c.Status == "False", c.Type + (c.Status == "False" ? "NotMet" : "Met"), $"{c.Reason}: {c.Message}"))];
    }

    private static Announcement Of(LogbookEntry entry)
    {
        if (entry.Actor.StartsWith("policy ", StringComparison.Ordinal)) return new(true, entry.What.StartsWith("would have", StringComparison.Ordinal) ? "DivergenceShadow" : "DivergencePolicyFired", $"{entry.Actor}: {entry.What}: {entry.Why}");
        var reason = entry.What.Split(' ')[0] switch
        {
            "launched" => "Launched",
            "sent" => "HyperParametersSent",
            "paused" => "Paused",
            "quarantined" => "NodeQuarantined",
            "released" => "PodsReleased",
            "recreating" => "PodsRecreating",
            "suspended" => "Suspended",
            "finished" => "Succeeded",
            "stopped" => "Failed",
            "returned" => "NodeReturned",
            "would" => "ShadowDecision",
            _ => "Noted",
        };
        return new(reason is "NodeQuarantined" or "Failed" or "Paused" or "PodsReleased", reason, $"{entry.What}: {entry.Why}");
    }

    private static Announcement Became(LogbookEntry entry) => new(false, "InterventionOutcome", $"{entry.Actor}: {entry.What}: {entry.Outcome}");

    /// <summary>Conditions that are about input and surroundings; the others are in the logbook already.</summary>
    private static bool IsNews(OptTrainingJobStatus? old, Condition now)
    {
        if (now.Type is not (ConditionTypes.SpecValid or ConditionTypes.PodTemplateValid or ConditionTypes.StoreReady or ConditionTypes.MembersPlaced or ConditionTypes.NodesInService)) return false;
        var before = old?.Conditions.FirstOrDefault(c => c.Type == now.Type);
        if (before?.Status == now.Status && (now.Status is not "False" || before.Reason == now.Reason)) return false;
        return now.Status is "False" || (now.Status is "True" && before?.Status is "False");
    }
}
