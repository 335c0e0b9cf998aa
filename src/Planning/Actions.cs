using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>One thing to do. Each is safe to do again: the executor may die after any of them.</summary>
public abstract record PlannedAction;

/// <summary>Create the agents' token, once.</summary>
public sealed record CreateSecret : PlannedAction;

/// <summary>Apply the headless Service.</summary>
public sealed record ApplyService : PlannedAction;

/// <summary>Apply the PodDisruptionBudget that lets nobody but the operator evict.</summary>
public sealed record ApplyDisruptionBudget : PlannedAction;

/// <summary>Apply the StatefulSet with the template of the current spec. Only when it is absent or has no pods: never beside pods of another template.</summary>
public sealed record ApplyStatefulSet(int Replicas, string PodDigest) : PlannedAction;

/// <summary>Set replicas and, in the same request, the marks that say why.</summary>
/// <param name="Version">The resourceVersion decided from: a leader that was overtaken must not write over what its successor decided.</param>
public sealed record ScaleStatefulSet(string Uid, int Replicas, JobOutcome? Outcome = null, Release? Release = null, DateTimeOffset? CountersSince = null, string? Version = null) : PlannedAction;

/// <summary>Ask an agent to append fence(epoch) to the commit log and to report the catalogue as of that entry.</summary>
/// <param name="Condemn">Condemn what lies after the onset of this rollback.</param>
public sealed record FenceStore(string Pod, string PodUid, long Epoch, RollbackOrder? Condemn = null) : PlannedAction;

/// <summary>Create the plan's ConfigMap. If it exists, another leader decided: observe again.</summary>
/// <param name="ParentStep">The newest step that the epoch before was seen to reach; null where this plan begins none.</param>
/// <param name="ParentRevision">Of the plan of the epoch before that this one was decided from.</param>
public sealed record CreatePlan(RunPlan Plan, long? ParentStep = null, int ParentRevision = 0) : PlannedAction
{
    /// <summary>The plan that was the newest when this one was decided; (0, 0) for none.</summary>
    public (long Epoch, int Revision) Parent => Plan.Revision > 0 ? (Plan.Epoch, Plan.Revision - 1) : (Plan.ParentEpoch, ParentRevision);
}

/// <summary>Send the plan to agents that do not run it yet.</summary>
public sealed record SendPlan(RunPlan Plan, EquatableList<string> Pods) : PlannedAction;

/// <summary>Send live values or a command to rank 0's agent.</summary>
public sealed record SendControl(string Pod, string PodUid, ControlRequest Request) : PlannedAction;

/// <summary>Have the agent append logbook entries to the store's log.</summary>
public sealed record RecordLogbook(string Pod, string PodUid, EquatableList<LogbookEntry> Entries) : PlannedAction;

/// <summary>Have an agent test its node. Asking again with the same id changes nothing.</summary>
public sealed record StartDiagnostics(string Pod, string PodUid, DiagnosticsRequest Request) : PlannedAction;

/// <summary>Ask agents where their workers stand, within a deadline; what they answer is remembered as <see cref="Memory.Stacks"/>.</summary>
public sealed record CollectStacks(string CauseId, EquatableList<StackTarget> Pods) : PlannedAction;

/// <summary>A pod whose agent is asked for stacks.</summary>
public sealed record StackTarget(string Pod, string PodUid);

/// <summary>Label the node with the reason and cordon it.</summary>
/// <param name="Until">When it is given back.</param>
/// <param name="KeepsCordon">It was cordoned already: its cordon stays then.</param>
/// <param name="History">What jobs had against it, this time included.</param>
/// <param name="Evicts">Taint it as well, so that every pod leaves that does not tolerate it.</param>
public sealed record QuarantineNode(string Node, string Uid, string CauseId, string Reason, string Message, DateTimeOffset Until, bool KeepsCordon, NodeHistory History, bool Evicts = false) : PlannedAction;

/// <summary>Write on the node what jobs had against it.</summary>
public sealed record NoteOffences(string Node, string Uid, NodeHistory History) : PlannedAction;

/// <summary>Delete a pod, this one and no successor. <paramref name="Now"/>: grace 0, for when its kubelet is silent.</summary>
public sealed record DeletePod(string Name, string Uid, bool Now) : PlannedAction;

/// <summary>Delete the job itself, this one and no successor of its name; what it owned goes with it.</summary>
public sealed record DeleteJob(string Uid) : PlannedAction;

/// <summary>Delete a plan beyond those that are kept.</summary>
public sealed record DeletePlan(string ConfigMap, string Uid) : PlannedAction;
