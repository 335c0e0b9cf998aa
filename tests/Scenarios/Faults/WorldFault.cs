namespace Opt.Scenarios.Faults;

/// <summary>What can go wrong with a job, its machines, its networks and its operators.</summary>
public enum WorldFault
{
    None,

    // Pods and workers
    KillWorker, BreakDevice, HangWorker, RestartAgent, EvictPod, DeletePod,

    // Machines
    KillNode, CutNode, BringNodesBack,

    // People
    EditLive, EditRelaunch, EditTemplate, EditInvalid, Suspend, Resume, CondemnCheckpoint, DeleteCheckpointObject, NewCluster,

    // Networks around the operator; training goes on
    CutAgentFromLeader, CutAgentsFromLeader, CutApiServerFromLeader, CutApiServerFromAll, LoseRequests, MendNetworks,

    // Operators
    KillLeader, KillAllOperators, StopLeader, ContinueStopped, LeaderClockJumps,
}

/// <param name="Pick">Which of those there are.</param>
/// <param name="Wait">Seconds until the next.</param>
public sealed record FaultStep(WorldFault Fault, int Pick, int Wait)
{
    /// <summary>From here on faults leave the training alone, so it must not notice them.</summary>
    public const WorldFault FirstHarmless = WorldFault.CutAgentFromLeader;

    /// <summary>The sequence of a seed: most faults fall into what the one before set going, some after all its deadlines.</summary>
    public static FaultStep[] Draw(int seed, int length, WorldFault from = WorldFault.None)
    {
        var random = new Random(seed);
        WorldFault[] faults = [.. Enum.GetValues<WorldFault>().Where(f => f >= from)];
        return [.. Enumerable.Range(0, length).Select(_ => new FaultStep(faults[random.Next(faults.Length)], random.Next(100), random.Next(random.Next(4) > 0 ? 8 : 46)))];
    }

    public override string ToString() => $"{Fault} pick {Pick}, then {Wait} s";
}
