using Opt.Api.Protocol;

namespace Opt.Operator.Agents;

/// <summary>The agent protocol (DESIGN 6), one call each. All throw <see cref="AgentException"/> when the agent refuses or does not answer in time.</summary>
public interface IAgentClient
{
    Task<AgentStatus> GetStatusAsync(AgentTarget target, CancellationToken ct);

    /// <summary>Waits at the agent for up to <paramref name="wait"/> for records after <paramref name="after"/>.</summary>
    Task<StepsPage> GetStepsAsync(AgentTarget target, long epoch, long after, TimeSpan wait, CancellationToken ct);

    /// <summary>Step records of any epoch out of the store, after part <paramref name="after"/> of it.</summary>
    Task<ArchivePage> GetArchiveAsync(AgentTarget target, long epoch, int after, CancellationToken ct);

    /// <summary>The logbook as the store keeps it.</summary>
    Task<LogbookPage> GetLogbookAsync(AgentTarget target, CancellationToken ct);

    Task<Catalogue> GetCatalogueAsync(AgentTarget target, CancellationToken ct);

    Task PutPlanAsync(AgentTarget target, RunPlan plan, CancellationToken ct);

    Task<Catalogue> PutFenceAsync(AgentTarget target, FenceRequest request, CancellationToken ct);

    /// <summary>Has logbook entries appended to the store's log.</summary>
    Task PutLogbookAsync(AgentTarget target, LogbookRequest request, CancellationToken ct);

    /// <summary>Has the store's log say that a checkpoint is pinned or condemned; answers the catalogue after it.</summary>
    Task<Catalogue> PutCheckpointAsync(AgentTarget target, CheckpointMark mark, CancellationToken ct);

    /// <summary>Where the workers of the node stand.</summary>
    Task<StacksReport> GetStacksAsync(AgentTarget target, CancellationToken ct);

    /// <summary>Has the agent test its node.</summary>
    Task PostDiagnosticsAsync(AgentTarget target, DiagnosticsRequest request, CancellationToken ct);

    Task PutControlAsync(AgentTarget target, ControlRequest request, CancellationToken ct);
}
